"""Cues: their times, what they say, which sounds have none; checked by a checker of its own."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from auricle.subtitles.compose import composed
from auricle.subtitles.cues import Cue, plain_cues, sdh_cues
from auricle.subtitles.guidelines import Guidelines, preset
from tests.helpers.subtitle_checker import Rules, parse, violations
from tests.helpers.timed import some_captions, timed

NETFLIX = Guidelines()
LONG = "a man speaks while a crowd applauds and cheers loudly in a large hall with an echo"
VARIANTS = [
    ({}, Rules()),
    ({"frame_rate_hz": 23.976}, Rules(frame_rate=Fraction(24000, 1001))),
    ({"frame_rate_hz": 60, "cue_s": 2.0}, Rules(frame_rate=Fraction(60), usual_s=Fraction(2))),
    ({"full_length": True, "brackets": "round"}, Rules(usual_s=Fraction(7))),
]


def texts(cues: list[Cue]) -> list[str]:
    return [cue.text for cue in cues]


def test_a_cue_begins_with_its_sound_on_a_frame() -> None:
    (cue,), notes = sdh_cues([timed(1.01, 3.0, "a dog barks")], NETFLIX)
    assert cue == Cue(1.042, 3.0, "[dog barks]")  # frame 25 of 24 a second
    assert notes == []


@pytest.mark.parametrize(
    ("length_s", "full_length", "shown_s"),
    [
        (0.1, False, 1.416),
        (2.0, False, 2.0),
        (60.0, False, 3.0),
        (5.0, True, 5.0),
        (60.0, True, 7.0),
    ],
)
def test_a_cue_stays_as_long_as_its_sound_within_limits(
    length_s: float, full_length: bool, shown_s: float
) -> None:
    rules = Guidelines(full_length=full_length)
    (cue,), _ = sdh_cues([timed(1.0, 1 + length_s, "a dog barks")], rules)
    assert cue.end_s - cue.start_s == pytest.approx(shown_s, abs=0.002)


def test_a_caption_too_long_is_said_by_the_best_shorter_fluent_candidate() -> None:
    told = [LONG, "people clap", "applause"]
    assert texts(sdh_cues([timed(0, 4, *told)], NETFLIX)[0]) == ["[people clap]"]
    cues, notes = sdh_cues([timed(0, 4, *told, fluent=False)], NETFLIX)
    assert cues == []
    assert len(notes) == 1
    assert notes[0].startswith("1 sound without a cue, no wording fits on the screen: a man speaks")


def test_a_label_that_needs_more_than_a_cues_time_gets_it_if_there_is_no_shorter() -> None:
    slow = Guidelines(chars_per_s=10)
    text = "rain falls on a metal roof and thunder rumbles"
    (cue,), _ = sdh_cues([timed(0, 2, text)], slow)
    assert 3 < len(cue.text) / 10 <= cue.end_s - cue.start_s <= 7


def test_of_simultaneous_sounds_both_are_shown_where_both_can_be_read() -> None:
    bark = timed(0.0, 1.0, "a dog barks", confidence=0.5)
    rain = timed(0.2, 4.0, "rain falls", confidence=0.9)
    assert texts(sdh_cues([bark, rain], NETFLIX)[0]) == ["[dog barks]", "[rain falls]"]


def test_of_sounds_that_cannot_all_be_shown_the_confident_are() -> None:
    three = [
        timed(5, 5.5, text, confidence=p)
        for text, p in (("a dog barks", 0.2), ("a bell rings", 0.9), ("a man coughs", 0.8))
    ]
    cues, notes = sdh_cues(three, NETFLIX)
    assert texts(cues) == ["[bell rings]", "[man coughs]"]
    assert notes == ["1 sound without a cue, no room while they are heard: a dog barks at 0:05"]


def test_the_same_label_is_not_shown_again_within_seconds() -> None:
    doors = [timed(at, at + 1, text) for at, text in ((0, "a door slams"), (4, "door slamming"))]
    later = timed(20, 21, "a door slams")
    assert [cue.start_s for cue in sdh_cues([*doors, later], NETFLIX)[0]] == [0, 20]


def test_dialogue_is_kept_clear_and_the_sound_comes_late_or_while_it_lasts() -> None:
    dialogue = [(0.0, 2.0), (9.0, 10.0)]
    late, lasting, over = (
        timed(1.5, 1.6, "a bell rings"),
        timed(0.0, 8.0, "rain falls"),
        timed(0.0, 0.9, "a dog barks"),
    )
    assert [c.start_s for c in sdh_cues([late], NETFLIX, dialogue)[0]] == [2.084]
    assert [c.start_s for c in sdh_cues([lasting], NETFLIX, dialogue)[0]] == [2.084]
    assert sdh_cues([over], NETFLIX, dialogue)[0] == []


def test_a_cue_ends_before_dialogue_and_takes_a_shorter_wording_for_it() -> None:
    sound = timed(0, 9, "rain falls on a metal roof and thunder rumbles", "rain falls")
    (cue,), _ = sdh_cues([sound], NETFLIX, [(1.5, 20.0)])
    assert cue.text == "[rain falls]"
    assert cue.end_s == pytest.approx(1.5 - 2 / 24, abs=0.001)


def test_no_captions_no_cues() -> None:
    assert sdh_cues([], NETFLIX) == ([], [])
    assert plain_cues([]) == []


@pytest.mark.parametrize(("changes", "rules"), VARIANTS)
def test_cues_of_any_captions_keep_every_rule(changes: dict[str, float], rules: Rules) -> None:
    shown = 0
    for seed in range(60):
        captions = some_captions(random.Random(seed), 60)
        text = str(composed(captions, "srt", Guidelines(**changes)))  # type: ignore[arg-type]
        cues = parse(text)
        shown += len(cues)
        assert violations(cues, rules) == []
        starts = [caption.start_s for caption in captions]
        assert all(any(s <= cue.start_ms / 1000 + 1e-3 for s in starts) for cue in cues)
    assert shown > 400


@pytest.mark.parametrize(
    ("name", "audience", "rules"),
    [
        ("netflix", "children", Rules(chars_per_s=17)),
        ("bbc", "adults", Rules(line_chars=37, words_per_min=180, frame_rate=Fraction(25))),
        ("bbc", "children", Rules(line_chars=37, words_per_min=160, frame_rate=Fraction(25))),
    ],
)
def test_presets_keep_their_own_rules(name: str, audience: str, rules: Rules) -> None:
    for seed in range(40):
        captions = some_captions(random.Random(seed), 60)
        cues = parse(str(composed(captions, "srt", preset(name, audience))))  # type: ignore[arg-type]
        assert violations(cues, rules) == []
        assert name != "bbc" or all(line.isupper() for cue in cues for line in cue.lines)


def test_plain_cues_are_the_captions_at_their_times_in_order() -> None:
    captions = [timed(5.0004, 5.0004, "a dog barks"), timed(1.5, 9.25, LONG)]
    long, bark = plain_cues(captions)
    assert (long.start_s, long.end_s, long.text.replace("\n", " ")) == (1.5, 9.25, LONG)
    assert bark == Cue(5.0, 5.001, "a dog barks")
