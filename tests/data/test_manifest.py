"""Manifests: what is read is what was written, and errors name file and line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from auricle.data import Clip, read_manifest, write_manifest
from auricle.data.clip import Mix
from auricle.data.licences import licence_name
from auricle.data.manifest import parse_mix, read_lines
from auricle.errors import DataError
from auricle.files import atomic_writer

ROW = {"audio": "a.wav", "captions": ["A dog barks"], "id": "1", "split": "train"}


def write_rows(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_what_is_written_is_read(tmp_path):
    clips = [
        Clip(tmp_path / "소리" / "비.wav", ("비가 온다", "Rain"), "1", "train"),
        Clip(Path("/elsewhere/b.wav"), ("b",), "2", "test", 1.5, 4.0, "CC0", "freesound:7"),
        Clip(tmp_path / "not \udcff unicode.wav", ("c",), "3", "val", extra={"author": "me"}),
    ]
    path = tmp_path / "new" / ".." / "clips.jsonl"
    (tmp_path / "new").mkdir()
    assert write_manifest(path, clips) == 3
    read = list(read_manifest(tmp_path / "clips.jsonl"))
    assert read == clips
    assert [clip.id for clip in read_manifest(path, split="test")] == ["2"]


def test_a_folder_with_its_manifest_can_be_moved(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    write_manifest(before / "m.jsonl", [Clip(before / "x" / "a.wav", ("a",), "1", "train")])
    shutil.move(before, after)
    assert next(read_manifest(after / "m.jsonl")).audio == after / "x" / "a.wav"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "not a line of JSON"),
        ("[1]", "a JSON list"),
        ({"audio": "a.wav"}, 'has no "captions"'),
        (ROW | {"captions": "A dog barks"}, "must be a list of strings"),
        (ROW | {"captions": [None]}, "must be a list of strings"),
        (ROW | {"audio": ""}, "\"audio\" is ''"),
        (ROW | {"id": 7}, '"id" is 7'),
        (ROW | {"license": "CC0"}, 'unknown key "license"; write "licence"'),
        (ROW | {"licence": 0}, '"licence" is 0'),
        (ROW | {"start_s": "1"}, "\"start_s\" is '1'"),
        (ROW | {"start_s": True}, '"start_s" is True'),
        (ROW | {"start_s": -1}, '"start_s" is -1'),
        (ROW | {"start_s": 1e308}, '"start_s" is 1e+308; it must be a number of seconds, 0 to'),
        (ROW | {"start_s": 10**300}, '"start_s" is 1000'),
        (ROW | {"end_s": 1e10}, '"end_s" is 10000000000.0'),
        (ROW | {"audio": "a\0.wav"}, "no file can have this name"),
        (ROW | {"audio": "\ud800.wav"}, "no file can have this name"),
        (ROW | {"captions": ["\ud800"]}, "half of a surrogate pair"),
        (ROW | {"licence": "\udcff"}, "half of a surrogate pair"),
        ("[" * 100_000, "nested too deeply"),
        ('{"audio":"a","captions":[],"id":"1","split":"t","end_s":NaN}', "NaN is no number"),
        (ROW | {"start_s": 2, "end_s": 2.0}, 'must come after "start_s"'),
    ],
)
def test_errors_name_file_line_and_rule(tmp_path, row, message):
    path = write_rows(tmp_path / "m.jsonl", ROW, "", row, ROW)
    with pytest.raises(DataError) as caught:
        list(read_manifest(path))
    assert str(caught.value).startswith(f"{path}:3: ")
    assert message in str(caught.value)
    errors = []
    lines = [line for line, _ in read_lines(path, lambda line, error: errors.append(line))]
    assert (lines, errors) == ([1, 4], [3])


def test_audio_and_captions_are_enough(tmp_path):
    names = ("rain.wav", "x/rain.mp3", "dog.wav", "rain.wav")
    rows = [{"audio": name, "captions": ["a"]} for name in names]
    path = write_rows(tmp_path / "m.jsonl", *rows, rows[0] | {"id": "own", "split": "val"})
    clips = list(read_manifest(path))
    assert [clip.id for clip in clips] == ["rain", "rain-2", "dog", "rain-3", "own"]
    assert [clip.split for clip in clips] == ["", "", "", "", "val"]
    write_manifest(tmp_path / "n.jsonl", clips)
    assert list(read_manifest(tmp_path / "n.jsonl")) == clips
    assert "split" not in json.loads((tmp_path / "n.jsonl").read_text().splitlines()[0])


def test_no_manifest(tmp_path):
    with pytest.raises(DataError, match="no manifest that can be read"):
        list(read_manifest(tmp_path / "gone.jsonl"))


def test_reading_is_lazy(tmp_path):
    path = write_rows(tmp_path / "m.jsonl", ROW, "{")
    assert next(read_manifest(path)).id == "1"


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text("old")

    def clips():
        yield Clip(Path("a.wav"), ("a",), "1", "train")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_manifest(path, clips())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_writer(path) as file:
        file.write("new")
    assert path.read_text() == "new"


def test_manifests_carry_mixes_and_can_be_moved(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    rows = [
        ROW,
        ROW | {"mix": {"audio": "소리/b.wav", "start_s": 1, "end_s": 2.5, "level_db": -3}},
        ROW | {"mix": {"audio": "/elsewhere/b.wav", "offset_s": 0}},
    ]
    (before / "m.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    write_manifest(before / "n.jsonl", read_manifest(before / "m.jsonl"))
    write_manifest(tmp_path / "o.jsonl", read_manifest(before / "n.jsonl"))
    assert json.loads((tmp_path / "o.jsonl").read_text().splitlines()[1])["mix"] == (
        rows[1]["mix"] | {"audio": "before/소리/b.wav"}
    )
    shutil.move(before, after)
    none, drawn, placed = (clip.mix for clip in read_manifest(after / "n.jsonl"))
    assert none is None
    assert drawn == Mix(after / "소리" / "b.wav", 1.0, 2.5, -3.0, None)
    assert placed == Mix(Path("/elsewhere/b.wav"), offset_s=0.0)


@pytest.mark.parametrize(
    ("row", "relation"),
    [
        ({}, "together"),
        ({"relation": None}, "together"),
        ({"relation": "followed by"}, "followed by"),
    ],
)
def test_the_relation_is_together_unless_given(row, relation):
    clip = Clip(
        Path("a.wav"), ("a",), "1", "train", mix=parse_mix({"audio": "b.wav", **row}, Path())
    )
    assert clip.mix.relation == relation


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("b.wav", "must be an object with the keys audio, start_s"),
        ({}, '"audio" of "mix" is None'),
        ({"audio": ""}, '"audio" of "mix" is \'\''),
        ({"audio": "b.wav", "level": 3}, 'unknown key "level"; write "level_db"'),
        ({"audio": "b.wav", "snr": 3}, 'unknown key "snr"; known are audio, start_s'),
        ({"audio": "b.wav", "level_db": "3"}, 'in "mix", "level_db" is \'3\''),
        ({"audio": "b.wav", "level_db": float("nan")}, "NaN is no number"),
        ({"audio": "b.wav", "level_db": 1e308}, '"level_db" is 1e+308; it must be a number of dB'),
        ({"audio": "\0"}, "no file can have this name"),
        ({"audio": "b.wav", "level_db": True}, '"level_db" is True'),
        ({"audio": "b.wav", "offset_s": -1}, '"offset_s" is -1'),
        ({"audio": "b.wav", "relation": "after"}, "is 'after'; it must be \"together\" or"),
        ({"audio": "b.wav", "relation": []}, '"relation" of "mix" is []'),
        ({"audio": "b.wav", "start_s": 2, "end_s": 1}, 'must come after "start_s"'),
    ],
)
def test_a_wrong_mix_is_named_with_its_line(tmp_path, value, message):
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW | {"mix": value}))
    with pytest.raises(DataError) as caught:
        list(read_manifest(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert message in str(caught.value)


def test_an_unknown_key_of_a_mix_is_refused_with_the_known_one():
    with pytest.raises(DataError, match="level_db"):
        parse_mix({"audio": "b", "lvl": 1}, Path())


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0"),
        ("http://creativecommons.org/licenses/by/3.0/", "CC BY 3.0"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "CC BY-NC 4.0"),
        ("http://creativecommons.org/licenses/sampling+/1.0/", "CC Sampling+ 1.0"),
        ("MIT", "MIT"),
        ("  ", None),
    ],
)
def test_licences(text, name):
    assert licence_name(text) == name
