"""Events: segments with their candidate captions; neighbours that say the same become one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch.nn.utils.rnn import pad_sequence

from auricle.allocator import trim
from auricle.decoding.joint_space import sound_vectors, text_vectors
from auricle.decoding.rerank import choose
from auricle.describing import Describer
from auricle.model.captioner import AudioMemory
from auricle.model.pooled import PooledMemory
from auricle.records import Candidate
from auricle.timeline.segments import Segment

BESIDE_S = 0.5  # at most between neighbours
PAUSE_S = 2.0  # at most between neighbours with one caption, such as the songs of a bird
SAME_TEXT = 0.85  # cosine of their captions
WORSE = 0.05  # similarity that either sound may lose with the other's caption
TOGETHER = 4  # segments that are described in one pass
MOST = 30  # candidates of an event that is merged from many


@dataclass(eq=False)
class Event:
    """A part of a recording, in seconds, with candidate captions, best first.

    ``memory``: of all its segments.
    """

    start_s: float
    end_s: float
    candidates: list[Candidate]
    memory: PooledMemory

    def copy(self) -> Event:
        """An event that goes on apart from this one."""
        return replace(self, memory=self.memory.copy())

    @property
    def caption(self) -> str:
        return choose(self.candidates).text


@dataclass(frozen=True, eq=False)
class Events:
    """Segments -> events. ``limit``: frames of the memory of one event; ``max_duration_s``: of one
    event."""

    describer: Describer
    limit: int
    max_duration_s: float = float("inf")

    @torch.inference_mode()
    def of(
        self, batches: Iterable[Sequence[Segment]], last: Event | None = None
    ) -> Iterator[Event]:
        """The events of the segments, in order; ``last``: the one before, which goes on."""
        for batch in batches:
            groups = (batch[first : first + TOGETHER] for first in range(0, len(batch), TOGETHER))
            for event in (event for group in groups for event in self._described(group)):
                if last and self._same(last, event):
                    last = self._merged(last, event)
                    continue
                if last:
                    yield last
                last = event
        if last:
            yield last

    def _described(self, batch: Sequence[Segment]) -> Iterator[Event]:
        found = self.describer.candidates(together([segment.memories for segment in batch]))
        trim()
        for segment, candidates in zip(batch, found, strict=True):
            memory = PooledMemory(self.limit)
            memory.add(segment.memories, segment.end_s - segment.start_s)
            yield Event(segment.start_s, segment.end_s, candidates, memory)

    def _same(self, one: Event, other: Event) -> bool:
        """Whether the events say the same: in the same words, or in words as near as `SAME_TEXT`
        that fit the other sound as well."""
        pause_s = other.start_s - one.end_s
        if pause_s > PAUSE_S or other.end_s - one.start_s > self.max_duration_s:
            return False
        captions = [one.caption, other.caption]
        if captions[0] == captions[1]:
            return True
        scorers = self.describer.scorers
        if pause_s > BESIDE_S or not any(scorer.embedder for scorer in scorers):
            return False
        text = text_vectors(scorers, captions)
        sound = torch.cat([sound_vectors(scorers, e.memory.memories()) for e in (one, other)])
        fit = text @ sound.T  # [caption, sound]
        worst = min(float(fit[1, 0] - fit[0, 0]), float(fit[0, 1] - fit[1, 1]))
        return float(text[0] @ text[1]) >= SAME_TEXT and worst >= -WORSE

    def _merged(self, one: Event, other: Event) -> Event:
        """Both in one: the candidates of both, scored by the memory of both."""
        one.memory.add(other.memory.memories(), other.memory.seconds)
        parts = [one.candidates, other.candidates]
        candidates = self.describer.again(one.memory.memories(), parts)
        return Event(one.start_s, other.end_s, candidates[:MOST], one.memory)


def together(memories: Sequence[Sequence[AudioMemory]]) -> tuple[AudioMemory, ...]:
    """N memories per model, [1, T_i, D] -> one memory per model, [N, T, D]."""
    return tuple(
        AudioMemory(
            pad_sequence([one.memory[0, : int(one.lengths[0])] for one in each], batch_first=True),
            torch.cat([one.lengths for one in each]),
            torch.cat([one.embedding for one in each]),
            torch.cat([one.peaks for one in each]) if each[0].peaks is not None else None,
        )
        for each in zip(*memories, strict=True)
    )
