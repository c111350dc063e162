"""Items of every kind of INPUT, and their opening."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auricle.audio.load import load_audio
from auricle.audio.source import IN_MEMORY, digest, digest_of
from auricle.batch.inputs import items_of
from auricle.batch.items import open_item
from auricle.data.clip import Clip
from auricle.errors import AudioError, DataError


def read(text):
    return list(items_of(str(text)))


def seconds(item):
    return load_audio(open_item(item).sound, 16_000).duration_s


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def wav(write_tone):
    """The bytes of a tone of 0.5 s."""
    path = write_tone("made/tone.wav", 0.5)
    content = path.read_bytes()
    path.unlink()
    path.parent.rmdir()
    return content


def test_a_folder_has_its_recordings_and_what_is_in_its_archives(tmp_path, wav):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.wav").write_bytes(wav)
    (folder / "notes.txt").write_text("none")
    write_tar(folder / "b.tar", {"x/k1.wav": wav, "x/k1.json": b"{}", "x/k1.txt": b"t"})
    pq.write_table(pa.table({"bytes": [wav], "label": [1]}), folder / "c.parquet")
    items = read(folder)
    assert sorted(one.audio.removeprefix(f"{folder}/") for one in items) == [
        *("b.tar/x/k1.wav", "c.parquet/0", "deep/a.wav"),
    ]
    assert [seconds(one) for one in items] == [0.5] * 3
    assert {open_item(one).content for one in items} == {digest(wav).hexdigest()}


def test_the_id_changes_with_the_file_and_only_then(tmp_path, wav):
    path = tmp_path / "a.wav"
    path.write_bytes(wav)
    (before,) = read(tmp_path)
    assert read(path) == [before]
    os.utime(path, ns=(1, 1))
    (after,) = read(tmp_path)
    assert before.id != after.id
    assert len(before.id) == 32


def test_braces_are_several_archives(tmp_path, wav):
    for number in range(12):
        write_tar(tmp_path / f"s-{number:03}.tar", {f"{number}.wav": wav})
    items = read(tmp_path / "s-{000..010}.tar")
    assert [Path(one.audio).name for one in items] == [f"{n}.wav" for n in range(11)]
    assert len(read(tmp_path / "s-{000,011}.tar")) == 2


def test_a_tar_that_is_cut_short_has_a_failure(tmp_path, wav):
    path = write_tar(tmp_path / "s.tar", {"a.wav": wav, "b.wav": wav})
    os.truncate(path, 512 + len(wav) // 2)
    first, *others = read(path)
    with pytest.raises(AudioError, match="cut short"):
        open_item(first)
    assert [one.kind for one in others] == ["broken"]
    with pytest.raises(AudioError, match="copy it again"):
        open_item(others[0])


def test_large_members_are_read_in_place(tmp_path, write_tone):
    length_s = IN_MEMORY / 16_000
    content = write_tone("long.wav", length_s).read_bytes()
    assert len(content) > IN_MEMORY
    (item,) = read(write_tar(tmp_path / "s.tar", {"long.wav": content}))
    opened = open_item(item)
    assert opened.content == digest(content).hexdigest()
    assert load_audio(opened.sound, 16_000, 100.0, 101.0).duration_s == pytest.approx(length_s)
    assert load_audio(opened.sound, 16_000).name == item.audio


def test_rows_of_parquet(tmp_path, wav, write_tone):
    write_tone("deep/a.wav", 0.5)
    structs = [{"bytes": wav, "path": "n.wav"}, {"bytes": None, "path": None}]
    tables = {
        "structs": pa.table({"audio": structs}),
        "paths": pa.table({"path": ["deep/a.wav", "deep/none.wav", None]}),
        "neither": pa.table({"text": ["a"]}),
    }
    for name, table in tables.items():
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=1)
    whole, empty = read(tmp_path / "structs.parquet")
    assert (seconds(whole), whole.audio) == (0.5, f"{tmp_path}/structs.parquet/n.wav")
    with pytest.raises(AudioError, match="no bytes in this row"):
        open_item(empty)
    there, gone, none = read(tmp_path / "paths.parquet")
    assert (seconds(there), there.audio) == (0.5, f"{tmp_path}/deep/a.wav")
    for one, why in ((gone, "no such file"), (none, "no path in this row")):
        with pytest.raises(AudioError, match=why):
            open_item(one)
    (neither,) = read(tmp_path / "neither.parquet")
    with pytest.raises(AudioError, match="has no column audio, path"):
        open_item(neither)


def test_clips_of_a_manifest(tmp_path, write_tone):
    write_tone("a.wav", 2.0)
    rows = [
        {"audio": "a.wav", "captions": ["x"], "id": "first", "start_s": 0.5, "end_s": 1.0},
        {"audio": "a.wav", "captions": ["y"]},
        {"captions": []},
    ]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    first, whole, broken = read(manifest)
    sound = open_item(first).sound
    assert isinstance(sound, Clip)
    assert (sound.id, sound.start_s, sound.audio) == ("first", 0.5, tmp_path / "a.wav")
    assert open_item(whole).content == digest_of(tmp_path / "a.wav", "a")
    assert first.audio == whole.audio == str(tmp_path / "a.wav")
    assert (broken.kind, broken.audio) == ("broken", f"{manifest}:3")


def test_addresses_are_read_by_fsspec(tmp_path, wav):
    import fsspec

    system = fsspec.filesystem("memory")
    store = "memory:///test-inputs"
    system.pipe("/test-inputs/deep/a.wav", wav)
    system.pipe("/test-inputs/n.txt", b"none")
    system.pipe("/test-inputs/s.tar", write_tar(tmp_path / "s.tar", {"k.wav": wav}).read_bytes())
    pq.write_table(pa.table({"path": ["deep/a.wav"]}), tmp_path / "p.parquet")
    system.pipe("/test-inputs/p.parquet", (tmp_path / "p.parquet").read_bytes())
    items = read(store)
    assert [one.audio.removeprefix(f"{store}/") for one in items] == [
        *("deep/a.wav", "deep/a.wav", "s.tar/k.wav"),
    ]
    assert [seconds(one) for one in items] == [0.5] * 3
    assert len(read(f"{store}/*.tar")) == len(read(f"{store}/deep/a.wav")) == 1
    with pytest.raises(DataError, match="cannot be reached"):
        read("memory://test-inputs/none")


def test_what_is_refused(tmp_path):
    refused = {
        **{"s.tar.gz": "unpack it", "none.tar": "no such file", "none": "no such file or folder"},
        **{"": "no recording in it", "none.jsonl": "no manifest that can be read"},
    }
    for name, why in refused.items():
        with pytest.raises(DataError, match=why):
            read(tmp_path / name)
