"""Mix-ups to a manifest: what is kept can be trained on, the rest is listed with its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auricle.data.clip import Mix
from auricle.data.manifest import read_manifest
from auricle.errors import DataError
from auricle.mixup.answers import MixupRow, to_json
from auricle.mixup.filtering import ALL_REASONS, EXAMPLES, filter_mixups, to_clip
from auricle.training.examples import Examples

GOOD = "A dog barks while rain falls on a roof"


class Stutterers:
    """Finds "er" unfluent."""

    threshold = 0.5

    def error(self, texts):
        assert texts
        assert not isinstance(texts, str)
        return np.array([0.9 if " er " in text else 0.5 for text in texts])


@pytest.fixture
def row(tmp_path: Path) -> MixupRow:
    return MixupRow(
        pair=0,
        ids=("dog", "rain"),
        audio=(tmp_path / "dog.wav", tmp_path / "rain.wav"),
        captions=("A dog barks", "Rain falls on a roof"),
        prompt="1",
        model="m",
        provider="openai",
        seed=3,
        answer=GOOD,
    )


def write(path: Path, rows) -> Path:
    lines = "".join(to_json(row, path.parent) + "\n" for row in rows)
    path.write_text(lines, errors="backslashreplace")
    return path


def test_kept_rows_can_be_trained_on(tmp_path, row, write_tone):
    write_tone("dog.wav", 2.0)
    write_tone("rain.wav", 1.5)
    rows = [row, replace(row, pair=7, answer=f'Mix: "{GOOD}."', relation="followed by")]
    out = tmp_path / "kept.jsonl"
    found = filter_mixups(write(tmp_path / "m.jsonl", rows), out, None)
    assert (found.kept, found.in_turn, found.rejected) == (2, 1, {})
    assert found.listed.read_text() == ""
    examples = Examples.read([out], "train", 30.0)
    assert examples.seconds.tolist() == [2.0, 3.5]
    assert [clip.id for clip in examples] == ["mixup-0", "mixup-7"]
    assert examples.clip(1).captions == (GOOD.lower(),)
    clip = next(read_manifest(out))
    assert clip.captions == (GOOD,)
    assert clip.mix == Mix(tmp_path / "rain.wav")
    assert clip.extra["mixup"] == {
        "ids": ["dog", "rain"],
        "captions": list(row.captions),
        "sources": [None, None],
        "prompt": "1",
        "model": "m",
        "provider": "openai",
        "seed": 3,
    }


def test_sections_sources_and_licences(row):
    sections = ((1.0, None), (None, 4.5))
    clip = to_clip(
        replace(row, sections=sections, licences=("CC0", "CC BY 4.0"), sources=("f:1", "f:2")), GOOD
    )
    assert (clip.start_s, clip.end_s, clip.source) == (1.0, None, "f:1")
    assert clip.licence == "CC0 and CC BY 4.0"
    assert clip.mix == Mix(row.audio[1], end_s=4.5)
    licences = [(None, None), (None, "CC0"), ("CC0", "CC0")]
    found = [to_clip(replace(row, licences=pair), GOOD).licence for pair in licences]
    assert found == [None, "not stated and CC0", "CC0"]


@pytest.mark.parametrize(
    ("relation", "caption", "heard", "in_turn"),
    [
        (None, GOOD, ("dog", "rain"), False),
        (None, "Rain falls, then a dog barks", ("rain", "dog"), True),
        (None, "A dog barks followed by rain", ("dog", "rain"), True),
        ("together", "Rain falls, then a dog barks", ("dog", "rain"), False),
        ("followed by", GOOD, ("dog", "rain"), True),
    ],
)
def test_recordings_come_in_the_order_of_the_caption(row, relation, caption, heard, in_turn):
    row = replace(row, relation=relation, sections=((1.0, 2.0), (3.0, 4.0)), licences=("a", "b"))
    clip = to_clip(row, caption)
    mix = clip.mix
    assert mix
    assert (clip.audio.stem, mix.audio.stem) == heard
    assert (clip.start_s, mix.start_s) == ((1.0, 3.0) if heard[0] == "dog" else (3.0, 1.0))
    assert clip.licence == ("a and b" if heard[0] == "dog" else "b and a")
    assert clip.extra["mixup"]["ids"] == list(heard)
    assert clip.extra["mixup"]["captions"][0] == row.captions[heard[0] != "dog"]
    assert (mix.relation == "followed by") == in_turn


def test_rejected_rows_are_kept_with_their_reason(tmp_path, row):
    answers = [GOOD, "", "", "", "", "A dog barks", "A dog er barks while rain falls", GOOD]
    rows = [replace(row, pair=number, answer=answer) for number, answer in enumerate(answers)]
    rows[-1] = replace(rows[0], model="another")
    path = write(tmp_path / "m.jsonl", rows)
    with path.open("a") as file:
        file.write('{"pair": "x"}\n{"pair": 9, "au')  # the last as a killed run leaves it
    told: list[tuple[str, int, int]] = []
    output = tmp_path / "out" / "kept.jsonl"
    found = filter_mixups(path, output, Stutterers(), progress=lambda *now: told.append(now))
    assert found.kept == 1
    assert list(found.rejected.items()) == [
        ("broken row", 1),
        ("empty", 4),
        ("copy of one caption", 1),
        ("disfluent", 1),
        ("pair there already", 1),
    ]
    assert set(found.rejected) <= set(ALL_REASONS)
    assert found.examples["empty"] == [""] * EXAMPLES
    assert found.examples["disfluent"] == ["A dog er barks while rain falls"]
    assert told == [("filtering", len(rows) + 1, len(rows) + 2)]
    assert found.listed == tmp_path / "out" / "kept.rejected.jsonl"
    listed = [json.loads(line) for line in found.listed.read_text().splitlines()]
    assert len(listed) == found.rejected.total()
    assert {item["reason"] for item in listed} == set(found.rejected)
    disfluent = next(item for item in listed if item["reason"] == "disfluent")
    assert (disfluent["error"], disfluent["pair"], disfluent["answer"]) == (0.9, 6, answers[6])
    assert disfluent["audio"][0] == str(tmp_path / "dog.wav")  # not below the output's folder
    broken = next(item for item in listed if item["reason"] == "broken row")
    assert broken["line"] == 9
    assert broken["detail"].startswith("\"pair\" is 'x'")


def pairs(row, answer):
    """A row per pair of captions of eight recordings; ``answer`` makes the text of two names."""
    names = "dog cat train bell horse river clock drum".split()
    made = [(one, other) for one in names for other in names if one < other]
    return [
        replace(
            row,
            pair=number,
            captions=(f"A {one} in a room", f"A {other} in the rain"),
            answer=answer(one, other, number),
        )
        for number, (one, other) in enumerate(made)
    ]


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        (lambda *_: "A man speaks and birds sing", {"one answer for many pairs"}),
        (
            lambda one, other, n: ("A man speaks and birds sing", "Cars pass by on a road")[n % 2],
            {"one answer for many pairs"},
        ),
        (
            lambda one, other, n: f"A man speaks and birds sing. Number {n}",
            {"one answer for many pairs"},
        ),
        (lambda *_: "I'm sorry, I cannot do that", {"refusal"}),
        (
            lambda one, other, n: f"A symphony of {one} and {other} fills the evening air",
            {"one form of words for many pairs"},
        ),
        (lambda one, other, n: f"A {one} makes a {'long ' * n} noise", None),
        (lambda one, other, n: f"A {one} is heard in the rain with a {other} in a room", set()),
    ],
)
def test_answers_are_compared_with_their_captions_and_with_each_other(
    tmp_path, row, answer, reasons
):
    path = write(tmp_path / "m.jsonl", pairs(row, answer))
    found = filter_mixups(path, tmp_path / "k.jsonl", None)
    if reasons is None:  # of one recording alone, in any words
        assert found.kept == 0
    else:
        assert set(found.rejected) == reasons
        assert found.kept == (0 if reasons else 28)


def test_halves_of_characters_are_broken_text(tmp_path, row):
    broken = "A hound barks \ud800 in a downpour"
    rows = [replace(row, answer=broken), replace(row, pair=1, captions=("A \udc00 dog", "Rain"))]
    found = filter_mixups(write(tmp_path / "m.jsonl", rows), tmp_path / "k.jsonl", None)
    assert found.rejected["broken text"] == 1
    found.listed.read_text(encoding="utf-8")


def test_a_pair_may_be_answered_better_later(tmp_path, row):
    rows = [replace(row, answer=""), row]
    found = filter_mixups(write(tmp_path / "m.jsonl", rows), tmp_path / "k.jsonl", None)
    assert (found.kept, found.rejected) == (1, {"empty": 1})


def test_nothing_is_overwritten_and_nothing_left_half_done(tmp_path, row):
    path = write(tmp_path / "m.jsonl", [row])
    with pytest.raises(DataError, match="would be overwritten"):
        filter_mixups(path, path, None)
    with pytest.raises(DataError, match="no mix-ups that can be read"):
        filter_mixups(tmp_path / "gone.jsonl", tmp_path / "k.jsonl", None)

    class Broken(Stutterers):
        def error(self, texts):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        filter_mixups(path, tmp_path / "k.jsonl", Broken())
    assert [file.name for file in tmp_path.iterdir()] == ["m.jsonl"]
