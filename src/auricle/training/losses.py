"""The published training losses (Wu et al., ICASSP 2024, section 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.model.likelihood import IGNORE_ID


def label_smoothed_nll(logits: Tensor, labels: Tensor, smoothing: float = 0.1) -> Tensor:
    """Cross-entropy with label smoothing, the mean over all tokens of the batch, scalar.

    ``logits`` [B, L, V]; ``labels`` [B, L] token ids with -100 where padded. The smoothing mass is
    spread evenly over the vocabulary.
    """
    return F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE_ID, label_smoothing=smoothing
    )


def info_nce(audio: Tensor, text: Tensor, temperature: float = 0.5) -> Tensor:
    """Symmetric InfoNCE with in-batch negatives: [B, E], [B, E] -> scalar.

    Row i of ``audio`` belongs to row i of ``text``; cosines over ``temperature`` are the logits,
    both ways, averaged (van den Oord et al., 2018; published temperature 0.5).
    """
    cosines = F.normalize(audio, dim=-1) @ F.normalize(text, dim=-1).T / temperature
    target = torch.arange(len(audio), device=audio.device)
    return 0.5 * (F.cross_entropy(cosines, target) + F.cross_entropy(cosines.T, target))
