"""Live timeline: captions of sound that comes in, each as soon as the sound has ended."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np

from auricle.audio.live import BLOCK_S, LiveSound
from auricle.describing import Describer
from auricle.records import Caption, LiveCaption
from auricle.timeline.activity import BLOCK
from auricle.timeline.events import Event
from auricle.timeline.levels import BANDS, STEP_S
from auricle.timeline.options import TimelineOptions
from auricle.timeline.segments import Segment, hear_segments
from auricle.timeline.stretches import Stretch, Stretches
from auricle.timeline.timeline import events_by, stretches_for, timed_caption

# Where a recording's timeline differs: what comes after a sound is not waited for.
LIVE: dict[str, Any] = {"ahead_s": 0.0, "pause_s": 0.8}
LOOK_S, LOOK_SHARE = 2.0, 0.1  # between looks at a sound that goes on; most time they may take
SURE_S = 2.0  # of sound after a change, until it is one
TRIED_S = 5.0  # of noise, captioned before the start: the first time takes longer


class LiveTimeline(Iterator[LiveCaption]):
    """Iterator of the captions of ``sound``, each when its sound has ended.

    Every ``every_s`` seconds while a sound lasts, it gets a caption of what was heard so far, with
    ``goes_on``; None gives none. Iterating raises AudioError: the sound cannot be had, or no
    longer.

    Attributes:
        typical_latency_s: about how many seconds after a sound its caption comes.
    """

    def __init__(
        self,
        sound: LiveSound,
        describer: Describer,
        options: TimelineOptions,
        every_s: float | None = None,
    ) -> None:
        self.sound = sound
        self._describer, self._options, self._every_s = describer, options, every_s
        self._events = events_by(describer, options)
        self._open: Event | None = None  # goes on after the last stretch
        self._told_s = self._look_at_s = 0.0
        self.typical_latency_s = (
            options.pause_s + options.ahead_s + BLOCK * STEP_S / 2 + BLOCK_S + self._try()
        )
        self._captions = self._described()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> LiveCaption:
        return next(self._captions)

    def close(self) -> None:
        """Stop listening at once."""
        self._captions.close()

    def _described(self) -> Generator[LiveCaption]:
        stretches = stretches_for(self._describer.ensemble.models, self._options)
        for piece in self.sound:
            for stretch in stretches.add(piece):
                yield from self._ended(stretch, stretch.goes_on)
            if self.sound.heard_s >= self._look_at_s:
                begun_s = time.monotonic()
                yield from self._look(stretches)
                wait_s = max(LOOK_S, (time.monotonic() - begun_s) / LOOK_SHARE)
                self._look_at_s = self.sound.heard_s + wait_s
        for stretch in stretches.end():
            yield from self._ended(stretch, stretch.goes_on)
        if self._open:
            yield from self._captions_of([self._open])

    def _ended(self, stretch: Stretch, goes_on: bool) -> Iterator[LiveCaption]:
        """The captions of what ended in ``stretch`` or before; its last event may go on after."""
        found = list(self._events.of([self._segments(stretch)], self._open))
        self._open = found.pop() if goes_on else None
        yield from self._captions_of(found)

    def _look(self, stretches: Stretches) -> Iterator[LiveCaption]:
        """The captions of what ended although the sound goes on, because another one followed;
        otherwise, when it is time, that of what was heard so far."""
        now = stretches.so_far()
        if not now:
            return
        begun_s = self._open.start_s if self._open else now.start_s
        is_time = (
            self._every_s is not None
            and self.sound.heard_s - max(self._told_s, begun_s) >= self._every_s
        )
        segments = self._segments(now)
        if not is_time and not _settled(segments, now.end_s):
            return
        events = list(self._events.of([segments], self._open and self._open.copy()))
        if latest := _settled(events, now.end_s):
            stretches.begin_at(events[latest].start_s)
            self._open = None
            yield from self._captions_of(events[:latest])
        elif is_time:
            yield from self._captions_of(events[-1:], goes_on=True)

    def _segments(self, stretch: Stretch) -> list[Segment]:
        models = self._describer.ensemble.models
        return [one for batch in hear_segments(models, [stretch], self._options) for one in batch]

    def _captions_of(self, events: Sequence[Event], goes_on: bool = False) -> Iterator[LiveCaption]:
        for event in events:
            self._told_s = self.sound.heard_s
            if caption := timed_caption(self._describer, self.sound.name, event):
                yield self._live(caption, event, goes_on)

    def _live(self, caption: Caption, event: Event, goes_on: bool) -> LiveCaption:
        start_s, end_s = (self.sound.place_s(edge) for edge in (event.start_s, event.end_s))
        values = {one.name: getattr(caption, one.name) for one in fields(Caption)}
        return LiveCaption(
            **values | {"start_s": round(start_s, 3), "end_s": round(end_s, 3)},
            time=self.sound.time_at(start_s),
            goes_on=goes_on,
            latency_s=round(self.sound.since_s(end_s), 3),
        )

    def _try(self) -> float:
        """Seconds that it takes to caption `TRIED_S` of noise, the second time."""
        rate_hz = self._describer.ensemble.models[0].encoder.sample_rate_hz
        noise = np.random.default_rng(0).standard_normal(round(TRIED_S * rate_hz)) / 10
        levels = np.full((round(TRIED_S / STEP_S), BANDS), -30.0)
        begun_s = 0.0
        for _ in range(2):
            begun_s = time.monotonic()
            tried = Stretch(0.0, TRIED_S, 0.0, noise.astype(np.float32), levels)
            list(self._events.of([self._segments(tried)]))
        return time.monotonic() - begun_s


def _settled(parts: Sequence[Segment | Event], now_s: float) -> int:
    """The number of the latest part that has gone on for `SURE_S`; those before it are over."""
    return max((n for n, one in enumerate(parts) if now_s - one.start_s >= SURE_S), default=0)
