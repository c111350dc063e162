"""Tagging files of every format and undoing it: sound, links, kills, other programs."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from auricle.audio.load import load_audio
from auricle.errors import AudioError, DataError, MissingDependencyError
from auricle.tags.changes import Field, Rules
from auricle.tags.journal import Journal
from auricle.tags.pieces import Span
from auricle.tags.write import Status, digests, plan, undo, write
from tests.helpers.paths import ROOT
from tests.helpers.waves import FULL, PLAIN, wave
from tests.tags.conftest import ENTRY, SUFFIXES

OTHER = replace(ENTRY, caption="a cat meows", confidence="", model="large", date="2026-03-04")


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def samples(path) -> np.ndarray:
    return load_audio(path, 48_000).waveform


def texts(path) -> dict[str, str]:
    return dict(plan(path, ENTRY, Rules()).tags.texts)


def own(path) -> dict[str, str]:
    """auricle's own tags, by the last part of their names."""
    found = {name.replace("/", "_").rpartition("AURICLE_")[2]: t for name, t in texts(path).items()}
    return {name: found.get(name, "") for name in ("CAPTION", "CONFIDENCE", "MODEL", "DATE")}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_keeps_its_sound_and_is_restored_byte_by_byte(
    suffix, recording, tagged, journal
):
    path = recording(suffix)
    before, heard = digest(path), samples(path)
    assert tagged(path) is Status.tagged
    assert np.array_equal(samples(path), heard)
    assert own(path) == {
        "CAPTION": "a dog barks",
        "CONFIDENCE": "0.71",
        "MODEL": "tiny",
        "DATE": "2026-01-02",
    }
    shared = [text for name, text in texts(path).items() if "AURICLE" not in name]
    assert shared.count("a dog barks") >= 2
    assert tagged(path, replace(ENTRY, date="2027-01-01")) is Status.unchanged
    first = digest(path)
    assert tagged(path, OTHER) is Status.tagged
    assert own(path)["CONFIDENCE"] == ""
    assert undo(path, journal) is Status.restored
    assert digest(path) == first
    assert undo(path, journal) is Status.restored
    assert digest(path) == before
    assert undo(path, journal) is Status.never_tagged


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_text_of_others_stays_unless_it_is_to_be_overwritten(suffix, recording, tagged):
    path = recording(suffix)
    tagged(path, replace(ENTRY, caption="by hand"))
    shared = [slot for slot in plan(path, ENTRY, Rules()).tags.slots if slot.holds in set(Field)]
    forget_own(path)
    tagged(path)
    assert {texts(path)[slot.name] for slot in shared} == {"by hand"}
    assert own(path)["CAPTION"] == "a dog barks"
    tagged(path, OTHER, fields=frozenset([Field.comment]), overwrite=True)
    found = {slot.holds: texts(path)[slot.name] for slot in shared}
    assert found == {Field.description: "by hand", Field.comment: "a cat meows"}


def forget_own(path) -> None:
    """Take auricle's own tags out, as if another program had written the others."""
    found = plan(path, ENTRY, Rules()).tags
    changes = [
        one
        for one in plan(
            path, replace(ENTRY, caption="", confidence="", model="", date=""), Rules()
        ).changes
        if "AURICLE" in one.slot
    ]
    part = path.with_name("part")
    found.write(part, changes)
    part.replace(path)


def test_auricles_own_text_gives_way_to_its_next(wav, tagged):
    tagged(wav)
    tagged(wav, OTHER)
    assert texts(wav)["bext Description"] == "a cat meows"
    assert texts(wav)["INFO ICMT"] == "a cat meows"


def test_a_broken_chunk_stays_and_is_noted(tmp_path, tagged):
    path = tmp_path / "a.wav"
    path.write_bytes(wave((*FULL[:1], (b"bext", b"short"), *FULL[2:7], (b"iXML", b"<A>"))))
    planned = plan(path, ENTRY, Rules())
    assert [note.partition(": its ")[2].split()[0] for note in planned.notes] == ["bext", "iXML"]
    tagged(path)
    assert texts(path)["INFO ICMT"] == "a dog barks"
    content = path.read_bytes()
    assert b"bext\5\0\0\0short" in content
    assert b"iXML\3\0\0\0<A>" in content


def test_tags_of_id3_stay_in_their_version(recording, tagged):
    id3 = pytest.importorskip("mutagen.id3")
    path = recording(".mp3")
    tags = id3.ID3()
    for frame in (
        id3.TYER(encoding=0, text="1999"),
        id3.TIT2(encoding=1, text=["one", "two"]),
        id3.COMM(encoding=0, lang="deu", desc="", text="von Hand"),
    ):
        tags.add(frame)
    tags.save(path, v2_version=3, v23_sep=None)
    end = b"TAG" + b"first".ljust(30) + bytes(60) + b"1998" + b"by hand".ljust(30) + b"\xff"
    path.write_bytes(path.read_bytes() + end)
    tagged(path)
    found = id3.ID3(path, translate=False)
    assert found.version == (2, 3, 0)
    assert str(found["TYER"]) == "1999"
    assert found["TIT2"].text == ["one", "two"]
    assert str(found["COMM::deu"]) == "von Hand"
    assert path.read_bytes()[-128:] == end
    assert str(found["TXXX:AURICLE_MODEL"]) == "tiny"


def test_the_header_of_ogg_may_take_several_pages(recording, tagged, journal):
    path = recording(".ogg")
    before, heard = digest(path), samples(path)
    tagged(path, replace(ENTRY, caption="rain falls " * 3000))
    assert np.array_equal(samples(path), heard)
    undo(path, journal)
    assert digest(path) == before


def test_a_file_that_others_changed_since_is_left_alone(wav, tagged, journal):
    tagged(wav)
    wav.write_bytes(wav.read_bytes() + b"more")
    changed = digest(wav)
    with pytest.raises(AudioError, match="changed since auricle tagged it"):
        undo(wav, journal)
    assert digest(wav) == changed


def test_a_renamed_file_and_a_copy_are_restored_and_the_original_later(wav, tagged, journal):
    before = wav.read_bytes()
    tagged(wav)
    copy = wav.with_name("copy.wav")
    copy.write_bytes(wav.read_bytes())
    for path in (copy, wav):
        assert undo(path, journal) is Status.restored
        assert path.read_bytes() == before


def test_times_and_permissions(wav, tagged, journal):
    os.utime(wav, ns=(10**18, 10**18))
    wav.chmod(0o640)
    tagged(wav, keep_times=True)
    assert wav.stat().st_mtime_ns == 10**18
    tagged(wav, OTHER)
    assert wav.stat().st_mtime_ns > 10**18
    assert wav.stat().st_mode & 0o777 == 0o640
    undo(wav, journal)
    assert wav.stat().st_mtime_ns == 10**18


def test_links(wav, tagged, journal):
    link = wav.with_name("link.wav")
    link.symlink_to(wav.name)
    before = wav.read_bytes()
    tagged(link)
    assert link.is_symlink()
    assert wav.read_bytes() != before
    assert undo(link, journal) is Status.restored
    other = wav.with_name("other.wav")
    other.hardlink_to(wav)
    planned = plan(wav, ENTRY, Rules())
    assert "hard links" in planned.notes[0]
    write(planned, journal, Rules())
    assert other.read_bytes() == before


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_read_only_files_and_other_things_are_refused(suffix, recording, tagged, tmp_path):
    path = recording(suffix)
    path.chmod(0o444)
    before = digest(path)
    with pytest.raises(AudioError, match="read-only"):
        tagged(path)
    assert digest(path) == before
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    os.mkfifo(tmp_path / "pipe")
    for name in ("gone.wav", "loop", "pipe", ".", "a\0b", "x" * 300):
        with pytest.raises(AudioError, match=r"^.*: "):
            tagged(tmp_path / name)


@pytest.mark.parametrize("suffix", [".wav", ".ogg"])
def test_a_full_disk_leaves_the_file_and_nothing_else(suffix, recording, tagged, monkeypatch):
    path = recording(suffix)
    before = digest(path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        tagged(path)
    assert digest(path) == before
    assert list(path.parent.glob(".*")) == []


def test_a_file_that_grows_meanwhile_is_left_to_its_writer(wav, journal, monkeypatch):
    planned = plan(wav, ENTRY, Rules())
    before = wav.read_bytes()

    def late(path, spans):
        if path != wav:
            with wav.open("ab") as file:
                file.write(b"\0\0")
        return "", ""

    monkeypatch.setattr("auricle.tags.write.digests", late)
    with pytest.raises(AudioError, match="another program"):
        write(planned, journal, Rules())
    assert wav.read_bytes() == before + b"\0\0"


def test_a_sound_that_would_change_is_not_written(wav, journal, monkeypatch):
    planned = plan(wav, ENTRY, Rules())
    before = wav.read_bytes()
    monkeypatch.setattr(planned.tags, "sound", lambda path: iter([Span(0, 100)]))
    with pytest.raises(AudioError, match="its sound would change"):
        write(planned, journal, Rules())
    assert wav.read_bytes() == before


@pytest.mark.parametrize("moment", ["Journal.add", "Path.replace"])
def test_a_kill_between_journal_and_file_leaves_a_whole_file(moment, wav, tmp_path):
    """Before and after the step is on the disk, the process ends without a last word."""
    before = wav.read_bytes()
    code = f"""
import os
from pathlib import Path
from auricle.tags.changes import Rules
from auricle.tags.journal import Journal
from auricle.tags.write import plan, write
from tests.tags.conftest import ENTRY
{moment} = lambda *_: os.kill(os.getpid(), 9)
with Journal(Path({str(tmp_path / "undo")!r})) as journal:
    write(plan(Path({str(wav)!r}), ENTRY, Rules()), journal, Rules())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert wav.read_bytes() == before
    assert len(list(wav.parent.glob(".*"))) == 1
    with Journal(tmp_path / "undo") as journal:
        assert undo(wav, journal) is Status.never_tagged
        write(plan(wav, ENTRY, Rules()), journal, Rules())
        assert undo(wav, journal) is Status.restored
    assert wav.read_bytes() == before
    assert list(wav.parent.glob(".*")) == []


def test_a_damaged_journal_is_named(wav, tagged, journal, tmp_path):
    tagged(wav)
    after = wav.read_bytes()
    journal._database.execute("update steps set before = 'x'")
    journal._database.commit()
    with pytest.raises(AudioError, match="is damaged; the file is left"):
        undo(wav, journal)
    journal._database.execute("update steps set pieces = x'00'")
    journal._database.commit()
    with pytest.raises(DataError, match="no undo journal"):
        undo(wav, journal)
    (tmp_path / "text").write_text("no journal " * 200)
    with Journal(tmp_path / "text") as other, pytest.raises(DataError, match="--journal"):
        undo(wav, other)
    assert wav.read_bytes() == after


def test_without_mutagen_wav_files_are_tagged_and_others_say_what_is_missing(
    recording, tagged, monkeypatch
):
    wav, flac = recording(".wav"), recording(".flac")
    monkeypatch.setitem(sys.modules, "mutagen", None)
    assert tagged(wav) is Status.tagged
    with pytest.raises(MissingDependencyError, match=r"flac: .*auricle\[tags\]|\[tags\]"):
        tagged(flac)


def test_a_format_without_tags_is_refused(tmp_path, tagged):
    path = tmp_path / "a.au"
    soundfile.write(path, np.zeros(100), 8000)
    with pytest.raises(AudioError, match="no kind of file"):
        tagged(path)


def test_digests_of_spans(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(range(100)))
    whole, parts = digests(path, [Span(10, 5), Span(20, 200)])
    assert whole == hashlib.sha256(bytes(range(100))).hexdigest()
    assert parts == hashlib.sha256(bytes([*range(10, 15), *range(20, 100)])).hexdigest()


def test_rest_behind_the_last_chunk_stays(tmp_path, tagged):
    path = tmp_path / "a.wav"
    path.write_bytes(wave((*PLAIN, (b"cue ", b"\0" * 4))) + b"TAG" + b"x" * 125)
    tagged(path)
    assert path.read_bytes().endswith(b"TAG" + b"x" * 125)
