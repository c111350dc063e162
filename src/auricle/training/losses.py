"""The published training losses (Wu et al., ICASSP 2024, section 2.2)."""

from __future__ import annotations

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

    Gradients reach this process's own rows alone. Every process computes the same loss of all
    rows, so each has the whole gradient of its own ones; where those are averaged over processes
    afterwards, the loss has to be multiplied by their number.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return rows
    parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, rows.detach().contiguous())
    parts[distributed.get_rank()] = rows
    return torch.cat(parts)
