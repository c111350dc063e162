"""Lengths, which travel between the blocks of the model, and masks made from them."""

from __future__ import annotations

import torch
from torch import Tensor


def valid_mask(lengths: Tensor, size: int) -> Tensor:
    """[B] lengths -> [B, size] bool, True on the frames of the recording."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)


def passes(lengths: Tensor, most: int) -> list[Tensor]:
    """Indices [N_i] of a batch with ``lengths`` [B], in groups of similar length. A group holds at
    most ``most`` samples with padding, or a single clip."""
    groups: list[list[int]] = [[]]
    for index in lengths.argsort(stable=True).tolist():
        if groups[-1] and (len(groups[-1]) + 1) * int(lengths[index]) > most:
            groups.append([])
        groups[-1].append(index)
    return [torch.tensor(group, device=lengths.device) for group in groups]


def published_lengths(lengths: Tensor, size_in: int, size_out: int) -> Tensor:
    """The published system's lengths after a block that turns ``size_in`` steps into fewer.

    It cuts the padding mask into ``size_out`` equal groups, drops the remainder at the end, and
    keeps a step if anything in its group is valid, unlike the block's true receptive field (quirk 1
    of the published system). Only for parity: in a padded batch these lengths are wrong.
    """
    group = size_in // size_out
    return (lengths + group - 1).div(group, rounding_mode="floor").clamp(max=size_out)
