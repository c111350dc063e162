"""Teacher forcing: decoder inputs from labels, and the likelihood of labels under logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

IGNORE_ID = -100  # padding in labels


def decoder_inputs(labels: Tensor, start_id: int, pad_id: int) -> Tensor:
    """Labels [B, L] shifted right after the start token, with ``pad_id`` for padding."""
    shifted = labels.roll(1, dims=1)
    shifted[:, 0] = start_id
    return shifted.masked_fill(shifted == IGNORE_ID, pad_id)


def token_nll(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log-likelihood per token of each row, with the end token.

    ``logits`` [R, L, V] and ``labels`` [R, L], -100 where padded -> [R] in nats.
    """
    nll = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE_ID, reduction="none"
    ).view_as(labels)
    return nll.sum(dim=1) / (labels != IGNORE_ID).sum(dim=1)
