"""The memory of a recording that is heard in parts: as long as that of one part."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.model.captioner import AudioMemory


class PooledMemory:
    """The memories of consecutive parts in one, per model: [1, T, D] with at most ``limit`` frames.

    A decoder knows positions up to the longest recording it was trained on. So when there are more
    frames, neighbours become their mean. The embedding is the mean of the parts' unit vectors,
    weighted by their lengths; a class has its highest score. The memory that this takes does not
    depend on the number of parts.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.seconds = 0.0
        self._every: list[int] = []  # frames of a part in one of ours, per model
        self._frames: list[Tensor] = []  # [T, D]
        self._rest: list[Tensor] = []  # [r, D], r < every: frames that do not fill one of ours
        self._embeddings: list[Tensor] = []  # [E], the weighted sum
        self._peaks: list[Tensor | None] = []  # [1, C]

    def add(self, memories: Sequence[AudioMemory], seconds: float) -> None:
        """A next part, [1, T, D] per model, of so many ``seconds``."""
        if not self._frames:
            self._every = [1] * len(memories)
            self._frames = [memory.memory[0, :0] for memory in memories]
            self._rest = list(self._frames)
            self._embeddings = [torch.zeros_like(memory.embedding[0]) for memory in memories]
            self._peaks = [memory.peaks for memory in memories]
        self.seconds += seconds
        for number, memory in enumerate(memories):
            unit = F.normalize(memory.embedding[0].float(), dim=-1).to(memory.embedding.dtype)
            self._embeddings[number] = self._embeddings[number] + seconds * unit
            if (before := self._peaks[number]) is not None and memory.peaks is not None:
                self._peaks[number] = torch.maximum(before, memory.peaks)
            self._append(number, memory.memory[0, : int(memory.lengths[0])])

    def copy(self) -> PooledMemory:
        other = PooledMemory(self.limit)
        other.seconds, other._every = self.seconds, list(self._every)
        other._frames, other._rest = list(self._frames), list(self._rest)
        other._embeddings, other._peaks = list(self._embeddings), list(self._peaks)
        return other

    def memories(self) -> tuple[AudioMemory, ...]:
        """The memory of all parts so far, one per model."""
        found = []
        pooled = zip(self._frames, self._rest, self._embeddings, self._peaks, strict=True)
        for frames, rest, embedding, peaks in pooled:
            if len(rest):
                frames = torch.cat([frames, rest.mean(dim=0, keepdim=True)])
            lengths = torch.tensor([len(frames)], device=frames.device)
            found.append(AudioMemory(frames[None], lengths, embedding[None] / self.seconds, peaks))
        return tuple(found)

    def _append(self, number: int, frames: Tensor) -> None:
        every = self._every[number]
        waiting = torch.cat([self._rest[number], frames])
        whole = len(waiting) // every * every
        means = waiting[:whole].reshape(-1, every, frames.shape[1]).mean(dim=1)
        ours, rest = torch.cat([self._frames[number], means]), waiting[whole:]
        while len(ours) + bool(len(rest)) > self.limit:
            even = len(ours) // 2 * 2
            # An odd frame at the end goes back to those that wait, as often as it counts.
            rest = torch.cat([ours[even:].repeat_interleave(every, dim=0), rest])
            ours = ours[:even].reshape(-1, 2, frames.shape[1]).mean(dim=1)
            every *= 2
        self._every[number], self._frames[number], self._rest[number] = every, ours, rest
