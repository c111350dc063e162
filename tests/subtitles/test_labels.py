"""Labels: words, letters, brackets and lines."""

from __future__ import annotations

import random

import pytest

from auricle.subtitles.guidelines import Guidelines
from auricle.subtitles.labels import as_it_is, label
from tests.helpers.timed import SENTENCES

NETFLIX = Guidelines()


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog barks twice.", "[dog barks twice]"),
        ("the wind blows", "[wind blows]"),
        ("another dog barks", "[another dog barks]"),
        (
            "an engine idles loudly followed by a horn honking twice",
            "[engine idles loudly\nfollowed by a horn honking twice]",
        ),
        (
            "A man is speaking, and birds are chirping in the background.",
            "[man is speaking,\nand birds are chirping in the background]",
        ),
        (
            "birds chirp in short quick phrases with a slight echo",
            "[birds chirp in short quick phrases\nwith a slight echo]",
        ),
    ],
)
def test_a_label_is_short_and_broken_where_it_reads_well(caption: str, expected: str) -> None:
    assert label(caption, NETFLIX) == expected


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ({"case": "upper"}, "[DOG BARKS]"),
        ({"case": "sentence", "brackets": "round"}, "(Dog barks)"),
        ({"case": "upper", "brackets": "none"}, "DOG BARKS"),
    ],
)
def test_letters_and_brackets_are_a_choice(style: dict[str, str], expected: str) -> None:
    assert label("a DOG barks", Guidelines(**style)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "hostile", ["a -->\n\n00:00:01,000 --> b\r\nc", "[a] {\\an8} <b> ♪", "a\u2028b\0"]
)
def test_no_caption_can_end_its_cue_or_command_a_player(hostile: str) -> None:
    made = label(hostile, NETFLIX)
    assert made is not None
    assert not set("<>{}\r\0\u2028") & set(made)
    assert "-->" not in made + as_it_is(hostile, 42)
    assert "\n\n" not in made + as_it_is(hostile, 42)


@pytest.mark.parametrize("nothing", ["", " \n", "[]", "...", "a" * 43, "word " * 40])
def test_what_does_not_fit_has_no_label(nothing: str) -> None:
    assert label(nothing, NETFLIX) is None


def test_no_line_is_a_lone_word_or_ends_on_a_preposition_where_another_place_fits() -> None:
    rng = random.Random(0)
    for _ in range(300):
        words = " ".join(rng.choices(" ".join(SENTENCES).split(), k=rng.randrange(6, 12)))
        lines = (label(words, NETFLIX) or "").split("\n")
        assert all(len(line) <= 42 for line in lines)
        if len(lines) == 2:
            assert all(" " in line for line in lines)
            assert not lines[0].endswith((" the", " a", " an"))


def test_a_caption_as_it_is_keeps_its_words() -> None:
    assert as_it_is("A dog [barks].", 42) == "A dog [barks]."
    long = "a dog barks and " * 12
    assert as_it_is(long, 42).split() == long.split()
    assert max(map(len, as_it_is(long, 42).split("\n"))) <= 42
