"""A batch of training, the contract of what makes batches, and the order of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from auricle.model.teacher_forcing import IGNORE_ID

ORDER_STREAM = 0  # second word of the seed, so that no other draw of the run uses these numbers


@dataclass(frozen=True)
class PairBatch:
    """A pair of captions for some recordings of a batch, P in all.

    Attributes:
        clips: [P] rows of the batch.
        chosen, rejected: [P, N] token ids, as `Batch.labels`.
        margins: [P] float32, the log-probability of the chosen caption less that of the rejected
            one under the start model, in nats.
    """

    clips: Tensor
    chosen: Tensor
    rejected: Tensor
    margins: Tensor

    def to(self, device: torch.device) -> PairBatch:
        names = ("clips", "chosen", "rejected", "margins")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


@dataclass(frozen=True)
class Batch:
    """B captioned recordings.

    Attributes:
        audio: [B, L] float32 waveforms at the encoder's rate, or [B, T, D] features of the frozen
            encoder.
        lengths: [B] valid samples or frames.
        labels: [B, N] token ids ending in the end token, padded with -100.
        text_embeddings: [B, E] float32 of the same captions, L2-normalised.
        replaced: ids of clips that could not be read; others stand in for them.
        pairs: for preference optimisation; None where there is none.
    """

    audio: Tensor
    lengths: Tensor
    labels: Tensor
    text_embeddings: Tensor
    replaced: tuple[str, ...] = ()
    pairs: PairBatch | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Batch:
        names = ("audio", "lengths", "labels", "text_embeddings")
        moved = {name: getattr(self, name).to(device) for name in names}
        return replace(self, **moved, pairs=self.pairs.to(device) if self.pairs else None)


class Batches(Protocol):
    """Training data: the micro-batches of a step are a pure function of the step, so that a run
    goes on where it stopped, and several workers may prepare them in any order."""

    @property
    def steps_per_epoch(self) -> int: ...

    def at(self, step: int, rank: int = 0, world: int = 1) -> Sequence[Batch]:
        """The micro-batches of ``step`` (from 1) for process ``rank`` of ``world``, which together
        read what one process would with a batch ``world`` times as large."""
        ...


def pad_audio(clips: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """B waveforms [L_i] or features [T_i, D], float32 -> [B, longest, ...] with zeros at the ends,
    and their lengths [B]."""
    tensors = [torch.from_numpy(clip) for clip in clips]
    return pad_sequence(tensors, batch_first=True), torch.tensor([len(t) for t in tensors])


def pad_labels(token_ids: Sequence[Sequence[int]], eos_id: int, max_tokens: int) -> Tensor:
    """Token ids of B captions -> labels [B, N]: cut to ``max_tokens`` with the end token, padded
    with -100."""
    ends = [[*ids[: max_tokens - 1], eos_id] for ids in token_ids]
    labels = torch.full((len(ends), max(map(len, ends))), IGNORE_ID)
    for row, ids in enumerate(ends):
        labels[row, : len(ids)] = torch.tensor(ids)
    return labels


def epoch_batches(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int, bucket: int = 12
) -> list[np.ndarray]:
    """Indices of the clips of each batch, a pure function of the arguments.

    Every ``bucket`` batches are drawn together and sorted by ``lengths`` [N], so that little is
    padding; those of the last, smaller pool come last. What does not fill a batch waits for another
    epoch; fewer than ``batch_size`` clips are one batch.
    """
    rng = np.random.default_rng((seed, ORDER_STREAM, epoch))
    order = rng.permutation(len(lengths))
    batch_size = max(1, min(batch_size, len(order)))
    pool = bucket * batch_size
    pooled = len(order) // pool * pool
    tail = order[pooled : len(order) // batch_size * batch_size]
    batches: list[np.ndarray] = []
    for pools in (order[:pooled].reshape(-1, pool), tail.reshape(-1, max(1, len(tail)))):
        found = [
            batch
            for clips in pools
            for batch in clips[np.argsort(lengths[clips], kind="stable")].reshape(-1, batch_size)
        ]
        batches += [found[i] for i in rng.permutation(len(found))]
    return batches


def batches_per_epoch(clips: int, batch_size: int) -> int:
    """Number of batches that `epoch_batches` makes."""
    return max(clips // batch_size, min(clips, 1))
