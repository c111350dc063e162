"""Timeline: the timed captions of one recording, each as soon as it is known."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Self

from auricle.audio.stream import SoundStream
from auricle.describing import Describer
from auricle.hearing import BATCH_SIZE, cut_short
from auricle.records import Caption
from auricle.timeline.events import Events
from auricle.timeline.options import TimelineOptions
from auricle.timeline.segments import hear_segments
from auricle.timeline.stretches import Stretches


class Timeline(Iterator[Caption]):
    """Iterator of the captions of ``sound``, in order of their starts.

    ``sound`` tells the recording's name, and how much of it has been heard. Iterating raises
    AudioError: the recording cannot be read; the captions before are valid.
    """

    def __init__(
        self,
        sound: SoundStream,
        describer: Describer,
        options: TimelineOptions,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self.sound = sound
        self._captions = self._described(describer, options, batch_size)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Caption:
        return next(self._captions)

    @property
    def progress(self) -> tuple[int, int]:
        """Seconds that were heard, and of the whole; 0 if that is not known."""
        return round(self.sound.heard_s), round(self.sound.duration_s)

    @property
    def note(self) -> str | None:
        """After the end, a line for the user if the recording is cut short, else None."""
        return cut_short(self.sound.name, self.sound.heard_s, self.sound.missing_s)

    def close(self) -> None:
        """Close the recording before its end."""
        self._captions.close()

    def _described(
        self, describer: Describer, options: TimelineOptions, batch_size: int
    ) -> Generator[Caption]:
        models = describer.ensemble.models
        rate_hz = models[0].encoder.sample_rate_hz
        window_s = min(model.config.max_duration_s for model in models)
        most_s = options.max_duration_s or float("inf")
        limit = min(model.frames_in(window_s) for model in models)
        stretches = Stretches(options, rate_hz, window_s).of(self.sound)
        segments = hear_segments(models, stretches, options, batch_size)
        for event in Events(describer, limit, most_s).of(segments):
            sure = describer.confidence(event.candidates)
            if sure is None or sure >= describer.decoding.min_confidence:
                yield describer.caption(
                    self.sound.name, event.start_s, event.end_s, event.candidates
                )
