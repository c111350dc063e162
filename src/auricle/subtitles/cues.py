"""Cues: captions as they are, or in their places on the screen beside what is there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auricle.clock import clock
from auricle.files import listed
from auricle.records import Caption
from auricle.subtitles.guidelines import Guidelines
from auricle.subtitles.labels import as_it_is
from auricle.subtitles.screen import Screen


@dataclass(frozen=True, slots=True)
class Cue:
    """A text on the screen, in seconds from the start of the recording; lines by newlines."""

    start_s: float
    end_s: float
    text: str


def plain_cues(captions: Iterable[Caption], width: int = 42) -> list[Cue]:
    """Each caption as it is, as long as its sound, in order of start; they may overlap."""
    cues = []
    for caption in sorted(captions, key=lambda one: one.start_s):
        start_s = round(caption.start_s, 3)
        end_s = max(round(caption.end_s, 3), start_s + 0.001)
        if text := as_it_is(caption.caption, width):
            cues.append(Cue(start_s, end_s, text))
    return cues


def sdh_cues(
    captions: Iterable[Caption],
    guidelines: Guidelines,
    dialogue: Iterable[tuple[float, float]] = (),
) -> tuple[list[Cue], list[str]]:
    """Cues of ``captions`` that overlap neither each other nor ``dialogue``, which are starts and
    ends in seconds; and notes on the sounds without one.

    Every sound gets the time that its label needs, in order of time, of simultaneous ones the most
    confident first; then each cue takes what room is left, up to its sound's length.
    """
    screen = Screen(guidelines, dialogue)
    left_out: dict[str, list[str]] = {}
    for caption in _in_turn(captions):
        if reason := screen.place(caption):
            where = f"{caption.caption} at {clock(caption.start_s)}"
            left_out.setdefault(reason, []).append(where)
    notes = [
        f"{len(names)} sound{'s' * (len(names) != 1)} without a cue, {reason}:"
        f" {listed(names, 3, 80, '; ')}"
        for reason, names in left_out.items()
    ]
    return [Cue(*shown) for shown in screen.shown_s()], notes


def _in_turn(captions: Iterable[Caption]) -> Iterator[Caption]:
    """In order of time; sounds that overlap by their confidence, best first."""
    together: list[Caption] = []
    end_s = 0.0
    for caption in sorted(captions, key=lambda one: one.start_s):
        if together and caption.start_s >= end_s:
            yield from sorted(together, key=lambda one: -(one.confidence or 0.0))
            together = []
        end_s = max(end_s, caption.end_s) if together else caption.end_s
        together.append(caption)
    yield from sorted(together, key=lambda one: -(one.confidence or 0.0))
