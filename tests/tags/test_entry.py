"""The text of a recording's captions, whole and in ASCII."""

from __future__ import annotations

from datetime import date

import pytest

from auricle.records import Caption
from auricle.tags.entry import Entry, entry, in_ascii

DAY = date(2026, 1, 2)


def caption(text: str, start_s: float = 0.0, end_s: float = 4.0, **more) -> Caption:
    given = {"score": None, "candidates": (), "model": "tiny", "decode": "", "seed": 0, **more}
    return Caption("a.wav", start_s, end_s, text, **given)


def test_a_single_caption_is_the_text():
    found = entry([caption("a dog barks", confidence=0.706)], DAY)
    assert found == Entry("a dog barks", "0.71", "tiny", "2026-01-02")


def test_several_captions_have_their_times_and_the_least_confidence():
    found = entry(
        [
            caption("rain falls", 3730.2, 3735.0, confidence=0.4),
            caption("a dog barks", 3.4, 7.0, confidence=0.9, model="large"),
        ],
        DAY,
    )
    assert found.caption == "0:03-0:07 a dog barks; 1:02:10-1:02:15 rain falls"
    assert (found.confidence, found.model) == ("0.40", "large, tiny")


def test_the_later_of_two_captions_of_one_time_counts():
    assert entry([caption("old"), caption("new")], DAY).caption == "new"


def test_what_does_not_print_is_escaped():
    assert entry([caption("a\nb\x1b\ud800")], DAY).caption == r"a\nb\x1b\ud800"


def test_without_a_confidence_the_entry_has_none():
    assert entry([caption("a dog barks")], DAY).confidence == ""


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a café’s door", "a cafe's door"),
        ("비가 내린다", ""),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 17 + "..."),
        ("a dog barks and howls", "a dog barks and..."),
        ("a dog barks at cats x", "a dog barks at..."),
    ],
)
def test_ascii_of_at_most_20_letters(text, plain):
    assert in_ascii(text, 20) == plain
    assert len(plain) <= 20
