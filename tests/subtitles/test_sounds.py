"""Which parts of a subtitle tell of a sound, and what is left without them."""

from __future__ import annotations

import pytest

from auricle.subtitles.sounds import sounds_in, without_sounds

SOUNDS = [
    "[door creaks]",
    "[DOOR CREAKS]",
    "[door\ncreaks]",
    "<i>[door creaks]</i>",
    "{\\an8}[phone ringing]",
    "- [sighs]\n- (COUGHS)",
    "[speaking Spanish]",
    "(he coughs)",
    "(DOOR OPENS)",
    "*thunder*",
    "♪",
    "♪ ♪",
    "♪ upbeat music playing ♪",
    "<i>♪ (jazz music) ♪</i>",
]
SPEECH = [
    "(JOHN) Hi",
    "JOHN: Hi",
    "[Maria] Hello",
    "[man]\nHello?",
    "[Man 2]: Hello?",
    "- [JOHN] Hi\n- Hey.",
    "(I think it rains.)",
    "(All clear)",
    "(What a crash!)",
    "He is *very* old",
    "♪ Hello darkness, my old friend ♪",
    "♪ Thank you for the music ♪",
    "...",
    "5 < 6",
]
MIXED = [
    ("[door creaks] Who is there?", "Who is there?"),
    ("Hello (laughs) there", "Hello there"),
    ("MAN [sighs]: Hi", "MAN: Hi"),
    ("- [sighs]\n- Hello.", "Hello."),
    ("- Hi.\n- (groans) Hey.", "- Hi.\n- Hey."),
    ("<i>[sighs] Hello</i>", "<i>Hello</i>"),
    ("<i>[sighs</i> softly] Hello", "Hello"),
    ("Wait... [thud] What?", "Wait... What?"),
    ("(DOOR OPENS)\nHello", "Hello"),
    ("[man] Hello? [coughs]", "[man] Hello?"),
]


@pytest.mark.parametrize("text", SOUNDS)
def test_a_cue_of_sounds_alone_goes(text: str) -> None:
    assert without_sounds(text) == ""
    assert sounds_in(text)


@pytest.mark.parametrize("text", SPEECH)
def test_what_is_said_and_who_says_it_stays_as_it_is(text: str) -> None:
    assert without_sounds(text) == text


@pytest.mark.parametrize(("text", "rest"), MIXED)
def test_speech_loses_only_the_sound_in_it(text: str, rest: str) -> None:
    assert without_sounds(text) == rest
    assert without_sounds(rest) == rest
