"""Examples: manifests looked through once, rows skipped by reason, clips parsed when used."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from auricle.errors import DataError
from auricle.text.normalise import as_written
from auricle.training.examples import READ_AT_ONCE, Examples, usable

CAPTION = "A dog barks, twice - then a car passes by!"
WRITTEN = "a dog barks twice then a car passes by"


@pytest.fixture
def write_manifest(tmp_path, write_tone):
    """``write_manifest(rows, name)``: rows are dicts, laid over a good row, or text as it is."""
    write_tone("good.wav", 2.0)

    def write(rows: list[dict | str], name: str = "manifest.jsonl") -> Path:
        lines = []
        for number, row in enumerate(rows):
            good = {"audio": "good.wav", "captions": [CAPTION], "id": f"{number}", "split": "train"}
            lines.append(row if isinstance(row, str) else json.dumps(good | row))
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


def test_rows_are_skipped_and_counted_by_reason(write_manifest, write_tone, tmp_path):
    (tmp_path / "notes.wav").write_text("no sound at all")
    write_tone("short.wav", 0.05)
    write_tone("empty.wav", 0.0)
    bad = {
        "broken row": ["{", "[1]", '{"audio": "good.wav"}', {"mix": {"audio": 3}}],
        "no caption": [{"captions": []}, {"captions": [" ", "?!"]}],
        "only captions of fewer than 6 words": [{"captions": ["A dog barks twice, - !"]}],
        "audio missing": [{"audio": "gone.wav"}, {"mix": {"audio": "gone.wav"}}],
        "audio unreadable": [{"audio": "notes.wav"}, {"audio": "empty.wav"}, {"audio": "."}],
        "less than 0.1 s of audio": [{"audio": "short.wav"}, {"start_s": 1.95}, {"start_s": 5}],
    }
    rows = [{}, *(row for rows in bad.values() for row in rows), "", {"split": "val"}, {}]
    path = write_manifest(rows)
    told: list[tuple[str, str]] = []
    examples = Examples.read([path], "train", 30.0, 6, lambda *skip: told.append(skip))
    assert examples.skipped == {reason: len(rows) for reason, rows in bad.items()}
    reasons = [reason for reason, rows in bad.items() for _ in rows]
    assert told == [(f"{path}:{line}", reason) for line, reason in enumerate(reasons, 2)]
    assert [clip.id for clip in examples] == ["0", str(len(rows) - 1)]


def test_captions_are_cleaned_and_short_ones_left_out(write_manifest):
    path = write_manifest([{"captions": [CAPTION, "Too short.", "", CAPTION.upper()]}, {}])
    examples = Examples.read([path], "train", 30.0, min_words=6)
    assert examples.clip(0).captions == (WRITTEN, WRITTEN)
    assert list(examples.captions()) == [WRITTEN] * 3
    assert Examples.read([path], "train", 30.0).clip(0).captions == (WRITTEN, "too short", WRITTEN)
    assert as_written(" A  dog's\tbark. ") == "a dogs bark"
    assert usable(["one two", "- one !"], 2) == ("one two",)


def test_seconds_are_those_that_are_heard(write_manifest, write_tone):
    write_tone("long.wav", 5.0)
    rows = [
        {},
        {"start_s": 0.5},
        {"start_s": 0.5, "end_s": 1.0},
        {"end_s": 60.0},
        {"audio": "long.wav"},
        {"mix": {"audio": "long.wav", "end_s": 3.0}},
    ]
    examples = Examples.read([write_manifest(rows)], "train", max_duration_s=4.0)
    assert examples.seconds.tolist() == [2.0, 1.5, 0.5, 2.0, 4.0, 3.0]
    assert examples.sources[0].seconds == 13.0


def test_several_manifests_are_read_one_after_another(write_manifest, tmp_path, write_tone):
    one = write_manifest([{"id": "a", "licence": "CC0"}, {"id": "b", "split": "val"}], "1.jsonl")
    write_tone("there/good.wav", 1.0)
    two = write_manifest([{"id": "c"}, {"id": "ü"}, {"id": "d", "licence": "CC0"}], "there/2.jsonl")
    examples = Examples.read([one, str(two)], "train", 30.0)
    assert [clip.id for clip in examples] == ["a", "c", "ü", "d"]
    assert examples.clip(2).audio == tmp_path / "there" / "good.wav"
    assert examples.seconds.tolist() == [2.0, 1.0, 1.0, 1.0]
    licences = [source.licences for source in examples.sources]
    assert licences == [{"CC0": 1}, {"not stated": 2, "CC0": 1}]
    assert [(source.path, source.clips) for source in examples.sources] == [(one, 1), (two, 3)]
    assert len(Examples.read([one, two], "", 30.0)) == 5


def test_rows_without_id_and_split(tmp_path, write_tone):
    for name in ("a.wav", "x/a.wav", "short.wav"):
        write_tone(name, 0.05 if name == "short.wav" else 1.0)
    names = ("a.wav", "short.wav", "x/a.wav", "a.wav")
    rows = [{"audio": name, "captions": [CAPTION]} for name in names]
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    examples = pickle.loads(pickle.dumps(Examples.read([path], "", 30.0)))
    assert [examples.clip(n).id for n in (2, 0, 1)] == ["a-3", "a", "a-2"]
    with pytest.raises(DataError, match=r'no row of split "train"; it has \(empty\) \(4\)'):
        Examples.read([path], "train", 30.0)


def test_seconds_of_mixups(write_manifest, write_tone):
    write_tone("long.wav", 5.0)
    mixes = [
        {"audio": "long.wav", "end_s": 3.0},
        {"audio": "long.wav", "end_s": 3.0, "relation": "followed by"},
        {"audio": "long.wav", "relation": "followed by"},
    ]
    examples = Examples.read([write_manifest([{"mix": mix} for mix in mixes])], "train", 6.0)
    assert examples.seconds.tolist() == [3.0, 5.0, 6.0]


def test_many_rows_keep_their_places(write_manifest):
    count = READ_AT_ONCE + 7
    rows = [{"captions": [f"{CAPTION} {'x' * (n % 50)}"], "id": f"é{n}"} for n in range(count)]
    path = write_manifest([*rows, "{"])
    examples = Examples.read([path], "train", 30.0)
    assert len(examples) == count
    assert [examples.clip(n).id for n in (count - 1, 0, 500)] == [f"é{count - 1}", "é0", "é500"]


def test_pickled_examples_are_small_and_work(write_manifest):
    path = write_manifest([{"captions": [CAPTION * 20] * 5}] * 200)
    examples = Examples.read([path], "train", 30.0)
    data = pickle.dumps(examples)
    assert len(data) < 200 * 16 + 2000 < path.stat().st_size
    assert pickle.loads(data).clip(150) == examples.clip(150)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["{", {"audio": "gone.wav"}], ["broken row: 1", "audio missing: 1", "auricle data check"]),
        ([""], ["no row of split", "it has no rows"]),
        ([{"split": "val"}, {"split": "test"}], ['split "train"', "val (1)", "test (1)"]),
    ],
)
def test_a_manifest_of_no_use_is_refused_with_reasons(write_manifest, rows, words):
    path = write_manifest(rows)
    with pytest.raises(DataError) as caught:
        Examples.read([path], "train", 30.0)
    for word in [str(path), *words]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_manifests_are_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jsonl: no manifest that can be read"):
        Examples.read([tmp_path / "gone.jsonl"], "train", 30.0)
    with pytest.raises(DataError, match="no manifest"):
        Examples.read([], "train", 30.0)


def test_a_manifest_changed_in_use_is_refused(write_manifest):
    path = write_manifest([{}, {}])
    examples = Examples.read([path], "train", 30.0)
    write_manifest([{"captions": ["something else"]}, {}])
    with pytest.raises(DataError, match="changed while in use"):
        examples.clip(1)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read any more"):
        examples.clip(1)


def test_a_stream_without_a_length_is_decoded(write_manifest, monkeypatch):
    monkeypatch.setattr("auricle.training.examples.probe", lambda path: (16_000, 0.0, "wav"))
    path = write_manifest([{}, {"start_s": 1.5}])
    assert np.allclose(Examples.read([path], "train", 30.0).seconds, [2.0, 0.5])


def test_the_digest_tells_whether_batches_would_be_the_same(write_manifest, write_tone):
    def digest(rows: list[dict | str]) -> str:
        return Examples.read([write_manifest(rows)], "train", 30.0).digest

    rows = [{"id": "a"}, {"id": "b"}]
    before = digest(rows)
    assert digest([rows[0], "", "{", {"split": "val"}, rows[1]]) == before
    assert digest(rows[::-1]) != before
    assert digest([rows[0], {"id": "b", "captions": [CAPTION.upper()]}]) != before
    write_tone("good.wav", 1.0)
    assert digest(rows) != before
