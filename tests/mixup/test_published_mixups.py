"""Import of the published mix-ups, in the shape of their file with captions of our own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auricle.data import Clip, write_manifest
from auricle.errors import DataError
from auricle.mixup.answers import read_rows
from auricle.mixup.published_mixups import import_published


@pytest.fixture
def manifest(tmp_path) -> Path:
    path = tmp_path / "clotho.jsonl"
    names = ("rain.wav", "Café door.wav", "train's horn.wav", "dog.wav")
    write_manifest(
        path,
        (
            Clip(
                tmp_path / "development" / name,
                (f"Caption of {name}",),
                f"clotho/development/{name}",
                "train",
                licence="CC BY",
                source=f"freesound:{place}",
            )
            for place, name in enumerate(names)
        ),
    )
    return path


def entry(first: str, second: str, captions: object, *mixups: object) -> dict:
    return {
        "prompt": "Generate a mix",
        "selected_pair": [0, 1],
        "audio_files": [first, second],
        "true_captions": captions,
        "chatgpt_mixups": list(mixups),
    }


def write(folder: Path, *entries: object) -> Path:
    path = folder / "clotho_development_chatgpt_mixups.json"
    content = {"billed_tokens": 1, "used_combinations": [], "dataset": entries}
    path.write_text(json.dumps(content))
    return path


def test_entries_become_rows(tmp_path, manifest):
    path = write(
        tmp_path,
        entry("rain.wav", "dog.wav", ["Rain", "A dog"], "One.", "Two.", "Three."),
        entry("Caf door.wav", "train&#39;s horn.wav", [["a", "b"], ["c", "d"]], "Four."),
        entry("gone.wav", "dog.wav", ["Gone", "A dog"], "Five.", "Six."),
        entry("dog.wav", "dog.wav", ["A dog", "A dog"], "Seven."),
        entry("dog.wav", "rain.wav", ["A dog", "Rain"], None),
        entry("dog.wav", "rain.wav", ["A dog", "Rain"], "Eight."),
    )
    found = import_published(path, manifest, tmp_path / "rows" / "mixups.jsonl")
    rows = list(read_rows(tmp_path / "rows" / "mixups.jsonl"))
    assert found.rows == len(rows) == 5
    assert found.left_out == {
        "recording not in the manifest": 2,
        "both recordings the same": 1,
        "mix-up is no text": 1,
    }
    assert found.missing == {"gone.wav"}
    assert [row.answer for row in rows] == ["One.", "Two.", "Three.", "Four.", "Eight."]
    assert [row.pair for row in rows] == [0, 1, 2, 3, 8]
    first = rows[0]
    assert (first.provider, first.model, first.relation) == ("published", "ChatGPT", None)
    assert first.captions == ("Rain", "A dog")
    assert first.audio == tuple(tmp_path / "development" / name for name in ("rain.wav", "dog.wav"))
    assert first.sources == ("freesound:0", "freesound:3")
    assert first.licences == ("CC BY", "CC BY")
    assert rows[3].ids == (
        "clotho/development/Café door.wav",
        "clotho/development/train's horn.wav",
    )


@pytest.mark.parametrize(
    ("captions", "wanted"),
    [
        (["Rain", "A dog"], [("Rain", "A dog")] * 3),
        ([["r1", "d1"], ["r2", "d2"], ["r3", "d3"]], [("r1", "d1"), ("r2", "d2"), ("r3", "d3")]),
        ([["r1", "r2", "r3"], ["d1", "d2", "d3"]], [("r1", "d1"), ("r2", "d2"), ("r3", "d3")]),
        (None, [("Caption of rain.wav", "Caption of dog.wav")] * 3),
    ],
)
def test_captions_in_any_shape(tmp_path, manifest, captions, wanted):
    path = write(tmp_path, entry("rain.wav", "dog.wav", captions, "One.", "Two.", "Three."))
    import_published(path, manifest, tmp_path / "o.jsonl")
    assert [row.captions for row in read_rows(tmp_path / "o.jsonl")] == wanted


def test_other_files_are_refused(tmp_path, manifest):
    output = tmp_path / "o.jsonl"
    for text, message in (
        ("{", "not JSON"),
        ("[]", 'has no list "dataset"'),
        ('{"dataset": [{}]}', 'entry 0 of "dataset" has no two names'),
        ('{"dataset": [{"audio_files": ["a", "b"]}]}', 'entry 0 of "dataset" has no texts'),
        (json.dumps({"dataset": [entry("x", "y", None, "z")]}), "none of the recordings"),
    ):
        path = tmp_path / "published.json"
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            import_published(path, manifest, output)
    with pytest.raises(DataError, match="cannot be read"):
        import_published(tmp_path / "absent.json", manifest, output)
    assert not output.exists()
