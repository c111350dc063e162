"""Parts: a recording that is longer than the models hear at once, heard from start to end.

    recording ─► equal parts ─► encode, in batches ─► one memory of all, and each part's result

At any time, the memory holds a batch of parts and what they were pooled into.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch

from auricle.allocator import trim
from auricle.audio.kinds import AudioInput
from auricle.audio.level import NEAR_SILENT_DBFS, level_dbfs, without_silent_ends
from auricle.audio.load import Recording, load_sections
from auricle.errors import EndOfSoundError
from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.model.pooled import PooledMemory
from auricle.model.together import encode_together
from auricle.watch import Progress, silent

FAINT_PARTS = 8  # of near silence, that are heard while nothing louder has been
SILENCE_PEAK = 10 ** (-80 / 20)  # -80 dBFS: about the last bits of a 16-bit recording

Describe = Callable[[tuple[AudioMemory, ...]], Sequence[Any]]  # a result per part


class Parts:
    """A recording, open until its parts have been read.

    Attributes:
        start: its first ``limit_s``, or all of it.
        end_s: of what is to be heard, in seconds; at most ``most_s``.
        broken: after the last part, why what follows it cannot be used; empty if nothing follows.

    Raises AudioError: the recording cannot be read.
    """

    def __init__(
        self, source: AudioInput, rate_hz: int, limit_s: float, most_s: float | None = None
    ) -> None:
        self._limit_s, self._most_s = limit_s, most_s or math.inf
        self._sections = load_sections(source, rate_hz, self._spans())
        self.start = next(self._sections)
        self.end_s = min(self.start.duration_s, self._most_s)
        self.broken = ""
        if not self.are_several:
            self.end_s = self.start.end_s
            self.close()

    def close(self) -> None:
        """Close the recording, whose parts are not wanted."""
        self._sections.close()

    @property
    def are_several(self) -> bool:
        return self.end_s > self.start.end_s + 0.05

    @property
    def number(self) -> int:
        return math.ceil(self.end_s / self._limit_s - 1e-6)

    def __iter__(self) -> Iterator[Recording]:
        """The parts, of equal length; fewer if the recording ends before its header says.

        Raises AudioError: the recording cannot be read any more.
        """
        last = None
        try:
            for last in self._sections:
                yield last
        except EndOfSoundError as error:
            if last is None:
                raise
            self.broken = "" if last.duration_s <= last.end_s + 0.05 else str(error)

    def _spans(self) -> Iterator[tuple[float, float | None]]:
        yield 0.0, min(self._limit_s, self._most_s)
        for number in range(self.number):
            start_s, end_s = (self.end_s * place / self.number for place in (number, number + 1))
            yield start_s, end_s if number + 1 < self.number or self._most_s < math.inf else None


@dataclass(frozen=True, eq=False)
class HeardParts:
    """What was heard of a recording in parts.

    Attributes:
        recording: its start, with what the last part tells of the whole.
        end_s: of what was heard.
        memories: of all parts in one, per model, [1, T, D].
        results: of the parts.
        is_silent: all is digital silence.
    """

    recording: Recording
    end_s: float
    memories: tuple[AudioMemory, ...]
    results: tuple[Any, ...]
    is_silent: bool


@torch.inference_mode()
def hear_parts(
    models: Sequence[AudioCaptioner],
    parts: Parts,
    batch_size: int,
    describe: Describe | None = None,
    progress: Progress = silent,
) -> HeardParts:
    """Hear all parts. Near-silent ones count only where the whole recording is near silence."""
    limit = min(model.frames_in(parts.start.end_s) for model in models)
    pool, results = PooledMemory(limit), list[Any]()
    loud, highest, faint = False, 0.0, 0
    last = parts.start
    waiting = iter(parts)
    while batch := list(islice(waiting, batch_size)):
        last = batch[-1]
        highest = max(highest, *map(peak, batch))
        louder = [part for part in batch if level_dbfs(part.waveform) > NEAR_SILENT_DBFS]
        if louder and not loud:
            loud, pool, results = True, PooledMemory(limit), []
        heard = louder if loud else batch[: FAINT_PARTS - faint]
        faint += len(heard) * (not loud)
        if heard:
            memories = encode_together(models, [trimmed(models, part) for part in heard])
            for row, part in enumerate(heard):
                own = tuple(memory[row : row + 1] for memory in memories)
                pool.add(own, part.end_s - part.start_s)
            if describe:
                results += describe(memories)
            trim()
        progress(f"hearing {last.name}", round(last.end_s), round(parts.end_s))
    recording = replace(parts.start, duration_s=last.duration_s, missing_s=last.missing_s)
    return HeardParts(
        recording, last.end_s, pool.memories(), tuple(results), highest <= SILENCE_PEAK
    )


def peak(recording: Recording) -> float:
    """The highest absolute sample."""
    return float(np.abs(recording.waveform).max(initial=0.0))


def trimmed(models: Sequence[AudioCaptioner], part: Recording) -> np.ndarray:
    """The waveform as the models hear it: without silent ends, except for published behaviour."""
    if any(model.config.published_behaviour for model in models):
        return part.waveform
    return without_silent_ends(part.waveform, part.sample_rate_hz)
