"""The indexer: it hears what is new or changed, and nothing twice, however often it is ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from auricle.search.indexer import Indexer, Summary
from auricle.search.store import Index
from tests.search.conftest import MAKER, write_noise


@pytest.fixture
def update(tmp_path, listener):
    """Index folders, by default the remembered ones; returns (summary, what was heard, notes)."""

    def run(*folders: Path, **settings) -> tuple[Summary, list[str], list[str]]:
        notes: list[str] = []
        listener.heard.clear()
        with Index(tmp_path / "index", MAKER) as index:
            for one in folders:
                index.remember(str(one))
            indexer = Indexer(index, lambda: listener, on_note=notes.append, **settings)
            return indexer.update(index.folders()), sorted(listener.heard), notes

    return run


@pytest.fixture
def indexed(tmp_path):
    """Names of the files in the index -> ids of their sounds."""

    def read() -> dict[str, list[int]]:
        with Index(tmp_path / "index") as index:
            found = {Path(one.audio).name: [] for one in index.files()}
            for one in index.sounds():
                found[Path(one.audio).name].append(one.id)
        return found

    return read


ALL = ["0.wav", "1.wav", "2.wav", "3.wav", "4.wav"]


def test_every_new_recording_is_heard_once(update, indexed, sounds):
    summary, heard, notes = update(sounds)
    assert heard == ALL
    assert summary == Summary(new=5)
    assert notes == []
    assert sorted(indexed()) == ALL
    assert all(len(ids) == 1 for ids in indexed().values())


def test_the_next_run_hears_nothing_and_reads_no_file(update, sounds, monkeypatch):
    update(sounds)
    monkeypatch.setattr("auricle.search.indexer.digest_of", lambda *_: 1 / 0)
    assert update()[:2] == (Summary(unchanged=5), [])


def test_only_what_changed_is_read_and_heard(update, indexed, sounds, monkeypatch):
    update(sounds)
    before = indexed()
    write_noise(sounds / "2.wav", 99)
    from auricle.search import indexer

    read, digest_of = [], indexer.digest_of
    monkeypatch.setattr(indexer, "digest_of", lambda *a: read.append(a[0].name) or digest_of(*a))
    assert update()[:2] == (Summary(changed=1, unchanged=4), ["2.wav"])
    assert read == ["2.wav"]
    after = indexed()
    assert after.pop("2.wav") != before.pop("2.wav")
    assert after == before


def test_a_file_with_a_new_time_but_its_content_is_not_heard(update, sounds):
    update(sounds)
    os.utime(sounds / "1.wav", (1, 1))
    assert update()[:2] == (Summary(unchanged=5), [])


@pytest.mark.parametrize("target", ["sub/other.wav", "2.wav"])
def test_a_moved_file_is_known_by_its_content(update, indexed, sounds, target):
    update(sounds)
    before = indexed()
    (sounds / "sub").mkdir()
    (sounds / "1.wav").rename(sounds / target)
    summary, heard, _ = update()
    assert heard == []
    assert (summary.moved, summary.gone) == (1, 0)
    assert indexed()[Path(target).name] == before["1.wav"]
    assert "1.wav" not in indexed()


def test_a_moved_library_is_not_heard_again(update, indexed, sounds, tmp_path):
    update(sounds)
    before = indexed()
    sounds.rename(tmp_path / "elsewhere")
    summary, heard, _ = update(tmp_path / "elsewhere")
    assert (summary, heard) == (Summary(moved=5), [])
    assert indexed() == before


def test_a_copy_is_not_heard_again(update, indexed, sounds):
    update(sounds)
    shutil.copy(sounds / "1.wav", sounds / "copy.wav")
    assert update()[:2] == (Summary(new=1, unchanged=5), [])
    assert len(indexed()["copy.wav"]) == 1


def test_copies_that_are_new_together_are_heard_once(update, indexed, sounds):
    for number in range(3):
        shutil.copy(sounds / "1.wav", sounds / f"copy{number}.wav")
    summary, heard, _ = update(sounds)
    assert (summary, len(heard)) == (Summary(new=8), 5)
    assert all(len(ids) == 1 for ids in indexed().values())


def test_what_is_gone_leaves_the_index(update, indexed, sounds):
    update(sounds)
    (sounds / "3.wav").unlink()
    assert update()[:2] == (Summary(gone=1, unchanged=4), [])
    assert "3.wav" not in indexed()


@pytest.mark.parametrize("how", ["missing", "empty", "unreadable"])
def test_a_disk_that_is_not_plugged_in_keeps_its_sounds(update, indexed, sounds, tmp_path, how):
    update(sounds, write_noise(tmp_path / "other" / "o.wav", 50).parent)
    sounds.rename(tmp_path / "away")
    if how != "missing":
        sounds.mkdir()
    if how == "unreadable":
        (sounds / "x").write_text("")
        sounds.chmod(0)
        if os.access(sounds, os.R_OK):
            pytest.skip("root reads every folder")
    summary, heard, (note,) = update()
    assert (summary, heard) == (Summary(unchanged=1), [])
    assert str(sounds) in note
    assert "its 5 indexed files are kept; --forget erases them" in note
    assert sorted(indexed()) == [*ALL, "o.wav"]
    if how == "unreadable":
        sounds.chmod(0o700)
    shutil.rmtree(sounds, ignore_errors=True)
    (tmp_path / "away").rename(sounds)
    assert update()[:2] == (Summary(unchanged=6), [])


def test_a_broken_file_is_kept_with_its_reason_and_tried_when_asked_or_changed(
    update, indexed, sounds, tmp_path
):
    broken = sounds / "1.wav"
    broken.write_bytes(b"RIFF, but nothing else")
    failures: list[tuple[str, str]] = []
    tell = {"on_failure": lambda *told: failures.append(told)}
    assert update(sounds, **tell)[0] == Summary(new=4, failed=1)
    ((path, reason),) = failures
    assert path == str(broken)
    assert path not in reason
    with Index(tmp_path / "index") as index:
        assert [one.reason for one in index.files(broken)] == [reason]
    assert update(**tell)[0] == Summary(unchanged=4, left=1)
    assert update(retry_failed=True, **tell)[0] == Summary(unchanged=4, failed=1)
    assert len(failures) == 2
    write_noise(broken, 1)
    assert update(**tell)[:2] == (Summary(changed=1, unchanged=4), ["1.wav"])
    assert len(indexed()["1.wav"]) == 1


def test_a_long_recording_has_its_segments_and_the_whole(update, sounds, tmp_path):
    write_noise(sounds / "long.wav", 7, duration_s=3.5)
    update(sounds)
    with Index(tmp_path / "index") as index:
        found = [one for one in index.sounds() if one.audio.endswith("long.wav")]
        assert [one.segment for one in found] == [False, True, True, True]
        assert {(one.duration_s, one.format) for one in found} == {(3.5, "wav")}


def test_an_interruption_keeps_what_was_heard(update, indexed, sounds, listener):
    hear = listener._hear

    def interrupted(file):
        if len(listener.heard) == 3:
            raise KeyboardInterrupt
        return hear(file)

    listener._hear = interrupted
    with pytest.raises(KeyboardInterrupt):
        update(sounds)
    assert len(indexed()) == 3
    listener._hear = hear
    summary, heard, _ = update()
    assert (summary, len(heard)) == (Summary(new=2, unchanged=3), 2)


PROGRAM = """
import sys, time
from pathlib import Path
from auricle.search import indexer
from auricle.search.store import Index
from tests.search.conftest import MAKER, CountingListener
indexer.TOGETHER = 2
listener = CountingListener()
hear = listener._hear
listener._hear = lambda file: (time.sleep(0.02), print(file.audio, flush=True), hear(file))[2]
with Index(Path(sys.argv[1]), MAKER) as index:
    print("begun", flush=True)
    indexer.Indexer(index, lambda: listener).update([sys.argv[2]])
"""


@pytest.mark.slow
def test_after_kills_the_index_is_complete_and_nothing_is_in_it_twice(tmp_path):
    sounds = tmp_path / "sounds"
    for number in range(30):
        write_noise(sounds / f"{number:02}.wav", number, 0.2)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "index"), str(sounds)]
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            for _ in range(8):  # begun, and seven recordings
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
    with Index(tmp_path / "index") as index:
        assert 8 <= len([*index.files()]) < 30
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
    with Index(tmp_path / "index") as index:
        names = [Path(one.audio).name for one in index.sounds()]
        assert sorted(names) == [f"{number:02}.wav" for number in range(30)]
        assert len(index.vectors()[0]) == len(index.text_ranks("s", 99)) == 30
