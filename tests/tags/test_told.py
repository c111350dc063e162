"""Records of captions: which recordings they name, and which records are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auricle.errors import DataError
from auricle.tags.told import is_records, told

ROW = {
    "audio": "a.wav",
    "start_s": 0,
    "end_s": 4.5,
    "caption": "a dog barks",
    "confidence": 0.5,
    "model": "tiny",
    "candidates": [{"text": "a dog barks"}],
    "later_key": 1,
}


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(json.dumps(row) for row in rows)
    path.write_text(lines if path.suffix == ".jsonl" else json.dumps(rows))
    return path


@pytest.mark.parametrize("name", ["r.jsonl", "r.json"])
def test_records_are_gathered_by_recording(name, tmp_path):
    path = write(tmp_path / name, ROW, ROW | {"audio": "b.wav"}, ROW | {"start_s": 5.0, "end_s": 6})
    found = told([path])
    assert [str(one) for one in found] == ["a.wav", "b.wav"]
    first, second = found[Path("a.wav")]
    assert (first.caption, first.end_s, first.confidence, first.model) == (
        "a dog barks",
        4.5,
        0.5,
        "tiny",
    )
    assert second.start_s == 5.0


def test_paths_begin_at_the_working_directory_then_beside_the_records(tmp_path, monkeypatch):
    records = write(tmp_path / "records" / "r.jsonl", ROW)
    beside = tmp_path / "records" / "a.wav"
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert list(told([records])) == [Path("a.wav")]
    beside.write_bytes(b"")
    assert list(told([records])) == [beside]
    (here / "a.wav").write_bytes(b"")
    assert list(told([records])) == [Path("a.wav")]
    assert list(told([records], root=tmp_path)) == [tmp_path / "a.wav"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"audio": "a.wav"}, "needs audio and caption"),
        (ROW | {"audio": 1}, "needs audio and caption"),
        (ROW | {"start_s": "x"}, "start_s is 'x'"),
        (ROW | {"confidence": []}, "confidence"),
        ([1], "JSON list"),
    ],
)
@pytest.mark.parametrize("name", ["r.jsonl", "r.json"])
def test_other_records_are_refused_with_their_place(name, row, reason, tmp_path):
    path = write(tmp_path / name, ROW, row)
    with pytest.raises(DataError, match=rf"r\.jsonl?:(2| record 2).*{reason}"):
        told([path])


def test_files_that_are_no_records(tmp_path):
    (tmp_path / "a.json").write_text("[")
    for name in ("a.json", "gone.json", "gone.jsonl"):
        with pytest.raises(DataError, match=name):
            told([tmp_path / name])


def test_what_is_taken_for_records(tmp_path):
    (tmp_path / "folder.json").mkdir()
    assert is_records("a.jsonl")
    assert is_records("A.JSON")
    assert not is_records("a.wav")
    assert not is_records(str(tmp_path / "folder.json"))
