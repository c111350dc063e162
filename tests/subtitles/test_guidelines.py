"""Guidelines: the presets' numbers, times on frames, values out of range."""

from __future__ import annotations

from fractions import Fraction

import pytest

from auricle.subtitles.guidelines import Guidelines, preset


def test_presets_differ_in_letters_brackets_width_and_speed() -> None:
    netflix, bbc = preset("netflix", "adults"), preset("bbc", "adults")
    assert netflix == Guidelines()
    assert (bbc.case, bbc.brackets, bbc.max_line_chars) == ("upper", "none", 37)
    assert preset("netflix", "children").chars_per_s == 17
    assert bbc.reading_s("ONE TWO THREE") == pytest.approx(1)  # 180 words a minute
    assert preset("bbc", "children").reading_s("ONE TWO THREE FOUR") == pytest.approx(1.5)


def test_a_given_value_replaces_the_presets_and_none_keeps_it() -> None:
    rules = preset("bbc", "adults", case="lower", brackets=None)
    assert (rules.case, rules.brackets) == ("lower", "none")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cue_s", 9.0),
        ("cue_s", float("nan")),
        ("max_s", 0.5),
        ("frame_rate_hz", 0.0),
        ("frame_rate_hz", float("inf")),
        ("gap_frames", -1),
        ("words_per_min", 0.0),
        ("case", "loud"),
        ("brackets", "curly"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        Guidelines(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hz", "rate"),
    [
        (24, 24),
        (25, 25),
        (23.976, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (12.5, 12.5),
    ],
)
def test_the_rates_of_ntsc_are_exact(hz: float, rate: Fraction) -> None:
    assert Guidelines(frame_rate_hz=hz).frame_rate == rate


@pytest.mark.parametrize("hz", [23.976, 24, 25, 29.97, 30, 50, 59.94, 60])
def test_no_length_or_gap_is_short_by_the_rounding_to_ms(hz: float) -> None:
    rules = Guidelines(frame_rate_hz=hz)
    for first in range(1000):
        shortest = rules.frames_of(rules.min_s)
        start_s, end_s = rules.span_s(first, first + shortest)
        assert end_s - start_s >= rules.min_s
        next_s, _ = rules.span_s(first + shortest + rules.gap_frames, first + 10_000)
        assert next_s - end_s >= rules.gap_frames / float(rules.frame_rate) - 1e-9
