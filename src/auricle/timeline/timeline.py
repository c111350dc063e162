"""Timeline: the timed captions of one recording, each as soon as it is known."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Self

from auricle.audio.stream import SoundStream
from auricle.describing import Describer
from auricle.errors import EndOfSoundError
from auricle.hearing import BATCH_SIZE, cut_short, heard_to
from auricle.model.captioner import AudioCaptioner
from auricle.records import Caption
from auricle.timeline.events import Event, Events
from auricle.timeline.options import TimelineOptions
from auricle.timeline.segments import hear_segments
from auricle.timeline.stretches import Stretches
from auricle.watch import Progress, silent

if TYPE_CHECKING:
    import numpy as np


class Timeline(Iterator[Caption]):
    """Iterator of the captions of ``sound``, in order of their starts.

    ``sound`` tells the recording's name, and how much of it has been heard; ``start_s``: where it
    begins in the recording; ``progress`` gets the seconds that are heard, and may raise to end it.
    Iterating raises AudioError: the recording cannot be read; the captions before are valid.
    """

    def __init__(
        self,
        sound: SoundStream,
        describer: Describer,
        options: TimelineOptions,
        batch_size: int = BATCH_SIZE,
        start_s: float = 0.0,
        progress: Progress = silent,
    ) -> None:
        self.sound, self._usable = sound, _Usable(sound, progress)
        # Not a method: it would hold this object, and keep the recording open when it is dropped.
        self._found = _described(self._usable, describer, options, batch_size, start_s)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Caption:
        return next(self._found)[0]

    def with_events(self) -> Iterator[tuple[Caption, Event]]:
        """The next captions, each with the event that it describes."""
        return self._found

    @property
    def progress(self) -> tuple[int, int]:
        """Seconds that were heard, and of the whole; 0 if that is not known."""
        return _progress(self.sound)

    @property
    def note(self) -> str | None:
        """After the end, a line for the user if not all of the recording could be heard."""
        if self._usable.broken:
            return heard_to(self.sound.heard_s, self._usable.broken)
        return cut_short(self.sound.name, self.sound.heard_s, self.sound.missing_s)

    def close(self) -> None:
        """Close the recording before its end."""
        self._found.close()


class _Usable:
    """The pieces of ``sound`` before samples that are not finite; ``broken``: the message about
    these."""

    def __init__(self, sound: SoundStream, progress: Progress) -> None:
        self.sound, self.broken, self._progress = sound, "", progress

    def __iter__(self) -> Iterator[np.ndarray]:
        try:
            for piece in self.sound:
                self._progress("seconds heard", *_progress(self.sound))
                yield piece
        except EndOfSoundError as error:
            if not self.sound.heard_s:
                raise
            self.broken = str(error)


def _progress(sound: SoundStream) -> tuple[int, int]:
    return round(sound.heard_s), round(sound.duration_s)


def _described(
    usable: _Usable,
    describer: Describer,
    options: TimelineOptions,
    batch_size: int,
    after_s: float,
) -> Generator[tuple[Caption, Event]]:
    models = describer.ensemble.models
    stretches = stretches_for(models, options).of(usable)
    segments = hear_segments(models, stretches, options, batch_size)
    for event in events_by(describer, options).of(segments):
        if caption := timed_caption(describer, usable.sound.name, event, after_s):
            yield caption, event


def stretches_for(models: Sequence[AudioCaptioner], options: TimelineOptions) -> Stretches:
    """Stretches that all ``models`` can hear at once."""
    return Stretches(options, models[0].encoder.sample_rate_hz, _window_s(models))


def events_by(describer: Describer, options: TimelineOptions) -> Events:
    models = describer.ensemble.models
    limit = min(model.frames_in(_window_s(models)) for model in models)
    return Events(describer, limit, options.max_duration_s or float("inf"))


def timed_caption(
    describer: Describer, name: str, event: Event, after_s: float = 0.0
) -> Caption | None:
    """The record of an event; None below the least confidence. ``after_s``: where its sound begins
    in the recording."""
    sure = describer.confidence(event.candidates)
    if sure is not None and sure < describer.decoding.min_confidence:
        return None
    start_s, end_s = (after_s + edge_s for edge_s in (event.start_s, event.end_s))
    return describer.caption(name, start_s, end_s, event.candidates)


def _window_s(models: Sequence[AudioCaptioner]) -> float:
    return min(model.config.max_duration_s for model in models)
