"""Hearing for an index: a recording -> its sounds, each with caption, vector and classes.

    short  ──► Captioner.stream ───────────────────────────────► one sound
    long   ──► its timeline ──► a sound per event ──► their memories in one ──► the whole

All that is stored of a recording comes from the same memories: each is heard once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from auricle.audio.stream import RecordingStream
from auricle.decoding.joint_space import sound_vectors
from auricle.describing import OF_PART
from auricle.errors import AudioError
from auricle.hearing import BATCH_SIZE
from auricle.model.captioner import AudioMemory
from auricle.model.pooled import PooledMemory
from auricle.outcomes import Captioned
from auricle.records import Caption
from auricle.search.fingerprint import Fingerprint
from auricle.search.rows import Described, Indexed
from auricle.settings import Decoding
from auricle.timeline.options import TimelineOptions
from auricle.timeline.timeline import Timeline
from auricle.watch import Progress, silent

if TYPE_CHECKING:
    from auricle.audio.kinds import AudioInput
    from auricle.pipeline import Captioner


@dataclass(frozen=True, eq=False)
class HeardFile:
    """A file with its sounds, the whole first; or with the reason why there are none.

    Attributes:
        end_s: of what was heard.
        words: its fingerprint, uint32 [N].
        note: a line for the user, such as that the file is cut short.
    """

    file: Indexed
    sounds: tuple[Described, ...] = ()
    end_s: float = 0.0
    words: np.ndarray | None = None
    note: str | None = None
    error: AudioError | None = None


class Listener:
    """What hears recordings for an index: ``captioner``, which decodes as ``decoding`` says.

    ``sound``: opens a path, perhaps in another process.

    Raises ModelError: the model has no text embedder, so its sounds cannot be found by words.
    """

    def __init__(
        self,
        captioner: Captioner,
        decoding: Decoding | None = None,
        batch_size: int = BATCH_SIZE,
        sound: Callable[[str], AudioInput] = str,
    ) -> None:
        self._captioner, self._batch_size, self._sound = captioner, batch_size, sound
        self._decoding = decoding or captioner.decoding()
        self._describer = captioner.describer(self._decoding)
        captioner.embed_text([""])  # before any is heard

    @property
    def longest_s(self) -> float:
        """Longer recordings are long ones."""
        return self._captioner.max_duration_s

    def short(self, files: Iterable[Indexed]) -> Iterator[HeardFile]:
        """Files as one sound each, in order."""
        found = self._captioner.stream(
            files,
            self._decoding,
            audio=lambda one: self._sound(one.audio),
            batch_size=self._batch_size,
        )
        return map(self._of_short, found)

    def long(self, file: Indexed, progress: Progress = silent) -> HeardFile:
        """A file as its whole and the events of its timeline."""
        sound = _Fingerprinted(self._sound(file.audio), self._captioner.sample_rate_hz)
        timeline = Timeline(
            sound,
            self._describer,
            TimelineOptions(),
            self._batch_size,
            progress=lambda _, done, total: progress(f"hearing {file.audio}", done, total),
        )
        models = self._captioner.models
        pool = PooledMemory(min(model.frames_in(self.longest_s) for model in models))
        segments, parts = [], []
        try:
            for caption, event in timeline.with_events():
                segments.append(self._described(caption, event.memory.memories(), segment=True))
                pool.add(event.memory.memories(), event.memory.seconds)
                parts.append(event.candidates[:OF_PART])
            if not segments:  # a faint steady sound, which has no events
                return next(self.short([file]))
        except AudioError as error:
            return HeardFile(file, error=error)
        memories = pool.memories()
        candidates = self._describer.again(memories, parts)
        caption = self._describer.caption(file.audio, 0.0, sound.heard_s, candidates)
        whole = self._described(caption, memories)
        return HeardFile(
            file, (whole, *segments), sound.heard_s, sound.fingerprint.words(), timeline.note
        )

    def _of_short(self, one: Captioned[Indexed]) -> HeardFile:
        heard = one.heard
        if heard.recording is None or one.caption is None:
            return HeardFile(one.source, error=one.error)
        memories = () if heard.silent else heard.memories
        fingerprint = Fingerprint(heard.recording.sample_rate_hz)
        fingerprint.add(heard.recording.waveform)
        return HeardFile(
            one.source,
            (self._described(one.caption, memories),),
            heard.end_s,
            fingerprint.words(),
            heard.note,
        )

    def _described(
        self, caption: Caption, memories: Sequence[AudioMemory], segment: bool = False
    ) -> Described:
        """The row of a caption; silence has no memories, and neither vector nor classes."""
        classes: tuple[str, ...] = ()
        vector = None
        if memories:
            (vector,) = sound_vectors(self._captioner.scorers, memories).numpy()
            (classes,) = self._describer.classes(memories)
        return Described(
            caption.start_s,
            caption.end_s,
            caption.caption,
            caption.confidence,
            caption.score,
            classes,
            segment,
            vector,
        )


class _Fingerprinted(RecordingStream):
    """A recording whose ``fingerprint`` is taken while it is read."""

    def __init__(self, sound: AudioInput, rate_hz: int) -> None:
        super().__init__(sound, rate_hz)
        self.fingerprint = Fingerprint(rate_hz)

    def __iter__(self) -> Iterator[np.ndarray]:
        for piece in super().__iter__():
            self.fingerprint.add(piece)
            yield piece
