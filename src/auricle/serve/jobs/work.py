"""The work of a job: picture, captions, words and timelines of one recording, as they are found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from auricle.errors import AudioError
from auricle.report.overview import overview
from auricle.report.words import words_over_time
from auricle.serve.jobs.order import Order
from auricle.serve.pictures import picture, words_record
from auricle.serve.service import LONG_BATCH, Service
from auricle.watch import Progress

if TYPE_CHECKING:
    from auricle.outcomes import Captioned
    from auricle.records import Caption
    from auricle.serve.uploads import Upload

Kind: TypeAlias = Literal["duration", "picture", "caption", "words", "timeline", "note"]


@dataclass(frozen=True)
class Found:
    """A part of what comes of a job; ``data``: plain values."""

    kind: Kind
    data: Any


@dataclass(frozen=True)
class Work:
    """An order with its recording. ``progress`` gets the seconds that are done in each step, of 0
    if the whole is not known; what it raises ends the work."""

    service: Service
    order: Order
    upload: Upload
    progress: Progress

    def found(self) -> Iterator[Found]:
        """The picture, each model's caption, their words, and each model's timeline.

        Raises:
            AudioError: the recording cannot be read, or not to its end; what came before is valid.
        """
        told = []
        for found in self._steps():
            if found.kind != "note" or found not in told:  # each model would say it
                yield found
            told += [found] if found.kind == "note" else []

    def _steps(self) -> Iterator[Found]:
        task = self.order.task
        captions: dict[str, Caption] = {}
        if "picture" in task:
            yield from self._picture()
        for name in self.order.model if "caption" in task else ():
            captioned = self._captioned(name)
            assert captioned.heard.recording
            assert captioned.caption
            captions[name] = captioned.caption
            yield _duration(captioned.heard.recording.duration_s)
            if note := captioned.heard.note:
                yield Found("note", note)
            yield Found("caption", captions[name].to_dict())
        for name, caption in captions.items() if self.order.words else ():
            yield self._words(name, caption)
        for name in self.order.model if "timeline" in task else ():
            yield from self._timeline(name)

    def _picture(self) -> Iterator[Found]:
        shown = overview(self.service.source(self.upload), self._stage("picture"))
        yield _duration(shown.duration_s)
        yield Found("picture", picture(shown))

    def _captioned(self, name: str) -> Captioned[Any]:
        captioner = self.service.captioner(name)
        (captioned,) = captioner.stream(
            [self.service.source(self.upload)],
            self.order.decoding(captioner, self.order.explain),
            batch_size=LONG_BATCH,
            progress=self._stage(f"caption {name}"),
        )
        if captioned.error:
            raise captioned.error
        return captioned

    def _words(self, name: str, caption: Caption) -> Found:
        self._stage(f"words {name}")
        try:
            source = self.service.source(self.upload)
            words = words_over_time(self.service.captioner(name), caption, source)
        except AudioError:
            why = "its start is silent, or cannot be read again"
            return Found("note", f"{self.upload.name}: has no words over time: {why}")
        return Found("words", words_record(caption, words))

    def _timeline(self, name: str) -> Iterator[Found]:
        captioner = self.service.captioner(name)
        timeline = captioner.timeline(
            self.service.source(self.upload),
            self.order.options,
            self.order.decoding(captioner, self.order.explain),
            batch_size=LONG_BATCH,
            progress=self._stage(f"timeline {name}"),
        )
        with contextlib.closing(timeline):
            for caption in timeline:
                yield Found("timeline", caption.to_dict())
        yield _duration(timeline.sound.duration_s)
        if timeline.note:
            yield Found("note", timeline.note)

    def _stage(self, stage: str) -> Progress:
        """A step begins: its progress is told under its name."""
        self.progress(stage, 0, 0)
        return lambda _, done, total: self.progress(stage, done, total)


def _duration(seconds: float) -> Found:
    return Found("duration", round(seconds, 3))
