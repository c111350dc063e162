"""The published training losses (Wu et al., ICASSP 2024, section 2.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional as F

from auricle.model.likelihood import IGNORE_ID


def label_smoothed_nll(
    logits: Tensor, labels: Tensor, smoothing: float = 0.1, tokens: Tensor | None = None
) -> Tensor:
    """Cross-entropy with label smoothing, the mean over all tokens of the batch, scalar.

    ``logits`` [B, L, V]; ``labels`` [B, L] token ids with -100 where padded. The smoothing mass is
    spread evenly over the vocabulary. ``tokens`` divides the sum in place of the batch's own count:
    that of all the batches a step consists of.
    """
    total = F.cross_entropy(
        logits.flatten(0, 1),
        labels.flatten(),
        ignore_index=IGNORE_ID,
        label_smoothing=smoothing,
        reduction="sum",
    )
    return total / ((labels != IGNORE_ID).sum() if tokens is None else tokens)


def info_nce(audio: Tensor, text: Tensor, temperature: float = 0.5) -> Tensor:
    """Symmetric InfoNCE with in-batch negatives: [B, E], [B, E] -> scalar.

    Row i of ``audio`` belongs to row i of ``text``; cosines over ``temperature`` are the logits,
    both ways, averaged (van den Oord et al., 2018; published temperature 0.5).
    """
    cosines = F.normalize(audio, dim=-1) @ F.normalize(text, dim=-1).T / temperature
    target = torch.arange(len(audio), device=audio.device)
    return 0.5 * (F.cross_entropy(cosines, target) + F.cross_entropy(cosines.T, target))


def gathered(rows: Tensor) -> Tensor:
    """The rows [B, E] of every process, [world * B, E], in order of rank.

    Every process computes the same loss of all rows, and its gradient reaches the process's own
    rows alone, times the number of processes: their average is the gradient of that loss.
    """
    ready = distributed.is_available() and distributed.is_initialized()
    return _Gather.apply(rows) if ready else rows


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        world = distributed.get_world_size()
        return world * gradients[0].chunk(world)[distributed.get_rank()]
