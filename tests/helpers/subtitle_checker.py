"""A checker of SRT files of its own: its parser, its arithmetic, and the published numbers.

It shares no code with `auricle.subtitles`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

TIMES = re.compile(r"^(\d\d):([0-5]\d):([0-5]\d),(\d{3}) --> (\d\d):([0-5]\d):([0-5]\d),(\d{3})$")


@dataclass(frozen=True)
class Shown:
    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Rules:
    line_chars: int = 42
    lines: int = 2
    least_s: Fraction = Fraction(5, 6)
    usual_s: Fraction = Fraction(3)
    most_s: Fraction = Fraction(7)
    chars_per_s: int = 20
    words_per_min: int | None = None
    gap_frames: int = 2
    frame_rate: Fraction = Fraction(24)


def parse(text: str) -> list[Shown]:
    """The cues of a strictly correct SRT file; AssertionError for any other."""
    assert text.endswith("\n")
    assert "\r" not in text
    found = []
    for number, block in enumerate(text.rstrip("\n").split("\n\n") if text.strip() else [], 1):
        first, second, *lines = block.split("\n")
        assert first == str(number), block
        times = TIMES.match(second)
        assert times, block
        assert lines, block
        assert all(line.strip() and "-->" not in line for line in lines), block
        h, m, s, ms, eh, em, es, ems = map(int, times.groups())
        start, end = ((h * 60 + m) * 60 + s) * 1000 + ms, ((eh * 60 + em) * 60 + es) * 1000 + ems
        found.append(Shown(start, end, tuple(lines)))
    return found


def violations(cues: list[Shown], rules: Rules, dialogue: list[Shown] = ()) -> list[str]:  # type: ignore[assignment]
    """What is wrong with the cues of sounds, alone and beside the dialogue."""
    wrong = []
    gap_ms = rules.gap_frames * 1000 / rules.frame_rate
    for cue in cues:
        text = " ".join(cue.lines)
        length_s = Fraction(cue.end_ms - cue.start_ms, 1000)
        reading_s = Fraction(len(text), rules.chars_per_s)
        if rules.words_per_min:
            reading_s = max(reading_s, Fraction(60 * len(text.split()), rules.words_per_min))
        checks = {
            "too many lines": len(cue.lines) <= rules.lines,
            "a long line": all(len(line) <= rules.line_chars for line in cue.lines),
            "too short": length_s >= rules.least_s,
            "too long": length_s <= rules.most_s,
            "longer than a sound's cue": length_s <= max(rules.usual_s, reading_s + Fraction(1, 9)),
            "too fast": length_s >= reading_s,
            "off its frame": all(
                abs(ms - round(ms * rules.frame_rate / 1000) * 1000 / rules.frame_rate) < 1
                for ms in (cue.start_ms, cue.end_ms)
            ),
        }
        wrong += [f"{name}: {cue}" for name, kept in checks.items() if not kept]
        for other in dialogue:
            if cue.start_ms < other.end_ms + gap_ms and other.start_ms < cue.end_ms + gap_ms:
                wrong.append(f"too near: {cue} {other}")
    for one, other in pairwise(cues):
        if other.start_ms - one.end_ms < gap_ms:
            wrong.append(f"too near: {one} {other}")
    return wrong


def added(merged: list[Shown], dialogue: list[Shown]) -> list[Shown]:
    """The cues of ``merged`` that are not ``dialogue``, which must be there untouched, in order."""
    rest, new = list(dialogue), []
    for cue in merged:
        if rest and cue == rest[0]:
            rest.pop(0)
        else:
            new.append(cue)
    assert not rest, f"dialogue is changed or lost: {rest[0]}"
    return new
