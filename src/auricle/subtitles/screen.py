"""The screen: which sound is shown when, beside dialogue and other sounds; all in frames."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auricle.records import Caption
from auricle.subtitles.guidelines import Guidelines
from auricle.subtitles.labels import label
from auricle.text.stems import content

TOO_LONG = "no wording fits on the screen"
NO_ROOM = "no room while they are heard"
REPEATED = "shown a moment before"
NO_END = 1 << 60


@dataclass(frozen=True, slots=True)
class _Sound:
    """What may be said of a sound, best first, and the frames while it is heard; by ``soon``, its
    label is hardly late."""

    labels: tuple[str, ...]
    first: int
    soon: int
    last: int

    @property
    def meaning(self) -> frozenset[str]:
        return content(self.labels[0]) or frozenset(self.labels[:1])


@dataclass(frozen=True, slots=True)
class _Shown:
    """A sound's label on the screen, in frames; ``wanted``: its length where there is room."""

    first: int
    last: int
    wanted: int
    label: str
    sound: _Sound


class Screen:
    """What is shown when, in frames: dialogue, and cues that keep their distance from it."""

    def __init__(self, guidelines: Guidelines, dialogue: Iterable[tuple[float, float]]) -> None:
        self.rules = guidelines
        self.starts: list[int] = []
        self.ends: list[int] = []  # of disjoint spans, so in order too
        self.shown: list[_Shown] = []  # in order
        for start_s, end_s in sorted(dialogue):
            first = guidelines.frames_within(start_s)
            last = max(guidelines.frame_at(end_s), first + 1)
            if self.ends and first <= self.ends[-1]:
                self.ends[-1] = max(self.ends[-1], last)
            else:
                self.starts.append(first)
                self.ends.append(last)

    def place(self, caption: Caption) -> str | None:
        """Give a sound its cue; otherwise say why it has none."""
        labels = self._labels(caption)
        if not labels:
            return TOO_LONG
        rules = self.rules
        first = rules.frame_at(caption.start_s)
        soon = max(first, rules.frames_within(caption.start_s + rules.late_s))
        sound = _Sound(labels, first, soon, rules.frames_within(caption.end_s))
        if self._is_repeated(sound):
            return REPEATED
        return None if self._fit(sound) or self._fit_beside(sound) else NO_ROOM

    def _labels(self, caption: Caption) -> tuple[str, ...]:
        """The labels that can be read in the time of a cue, or else the shortest that fits."""
        rules = self.rules
        fitting = (found for text in _wordings(caption) if (found := label(text, rules)))
        labels = tuple(dict.fromkeys(fitting))
        quick = tuple(one for one in labels if self._needed(one) <= self._most())
        if quick or not labels:
            return quick
        shortest = min(labels, key=len)
        within = self._needed(shortest) <= rules.frames_within(rules.max_s)
        return (shortest,) if within else ()

    def _fit(self, sound: _Sound) -> _Shown | None:
        """Show a sound where there is room: near its beginning, or else while it lasts."""
        rules = self.rules
        for lasting in (False, True):
            for text in sound.labels:
                needed = self._needed(text)
                latest = sound.last - needed if lasting else sound.soon
                at = self._room(sound.first, latest, needed)
                if at is not None:
                    wanted = max(sound.last - at, needed + rules.frames_of(rules.extra_s))
                    wanted = max(needed, min(wanted, self._most()))
                    return self._show(_Shown(at, at + needed, wanted, text, sound))
        return None

    def _fit_beside(self, sound: _Sound) -> bool:
        """Show a sound in the place of another that can be shown elsewhere."""
        for other in self._shown_from(sound.first, sound.soon):
            self._hide(other)
            if shown := self._fit(sound):
                if self._fit(other.sound):
                    return True
                self._hide(shown)
            self._show(other)
        return False

    def shown_s(self) -> Iterator[tuple[float, float, str]]:
        """Start, end and label of each cue in order, extended into the room that is left."""
        rules = self.rules
        close = rules.frames_of(rules.close_s)
        for one in self.shown:
            following = bisect_left(self.starts, one.last)
            end = self.starts[following] if following < len(self.starts) else NO_END
            limit = end - rules.gap_frames
            last = min(one.first + one.wanted, limit)
            longest = max(one.last, one.first + rules.frames_within(rules.cue_s))
            if limit <= longest and limit - last < close:
                last = limit
            yield (*rules.span_s(one.first, max(last, one.last)), one.label)

    def _most(self) -> int:
        return self.rules.frames_within(
            self.rules.max_s if self.rules.full_length else self.rules.cue_s
        )

    def _needed(self, text: str) -> int:
        return self.rules.frames_of(self.rules.reading_s(text))

    def _room(self, first: int, latest: int, length: int) -> int | None:
        """The earliest start from ``first`` to ``latest`` of ``length`` free frames."""
        gap = self.rules.gap_frames
        at = first
        for place in range(bisect_right(self.ends, first - gap), len(self.starts)):
            if at > latest or self.starts[place] - gap >= at + length:
                break
            at = max(at, self.ends[place] + gap)
        return at if at <= latest else None

    def _show(self, one: _Shown) -> _Shown:
        place = bisect_left(self.starts, one.first)
        self.starts.insert(place, one.first)
        self.ends.insert(place, one.last)
        self.shown.insert(bisect_left(self.shown, one.first, key=_first), one)
        return one

    def _hide(self, one: _Shown) -> None:
        place = bisect_left(self.starts, one.first)
        del self.starts[place], self.ends[place]
        self.shown.remove(one)

    def _shown_from(self, first: int, last: int) -> list[_Shown]:
        """The cues that are shown, or may be once they are extended, from one frame to another."""
        longest = self.rules.frames_of(self.rules.max_s)
        place = bisect_left(self.shown, first - longest, key=_first)
        following = bisect_right(self.shown, last, key=_first)
        return [one for one in self.shown[place:following] if one.first + one.wanted > first]

    def _is_repeated(self, sound: _Sound) -> bool:
        soon = self.rules.frames_within(self.rules.repeat_s)
        near = self._shown_from(sound.first - soon, sound.first + soon)
        return any(one.sound.meaning == sound.meaning for one in near)


def _wordings(caption: Caption) -> Iterator[str]:
    """What may be said of a sound: the caption, then its other candidates, best first."""
    yield caption.caption
    for candidate in caption.candidates:
        if candidate.fluent is not False:
            yield candidate.text


def _first(one: _Shown) -> int:
    return one.first
