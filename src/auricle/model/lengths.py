"""Lengths, which travel between the blocks of the model, and the masks made from them."""

from __future__ import annotations

import torch
from torch import Tensor


def valid_mask(lengths: Tensor, size: int) -> Tensor:
    """[B] lengths -> [B, size] bool, True on the frames that belong to the recording."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)


def passes(lengths: Tensor, most: int) -> list[Tensor]:
    """Indices [N_i] of a batch with ``lengths`` [B], by length, in groups that padded to their
    longest hold at most ``most`` samples, or a single clip."""
    groups: list[list[int]] = [[]]
    for index in lengths.argsort(stable=True).tolist():
        if groups[-1] and (len(groups[-1]) + 1) * int(lengths[index]) > most:
            groups.append([])
        groups[-1].append(index)
    return [torch.tensor(group, device=lengths.device) for group in groups]


def published_lengths(lengths: Tensor, size_in: int, size_out: int) -> Tensor:
    """The lengths the published system arrives at when a block turns ``size_in`` steps into fewer.

    It cuts the padding mask into ``size_out`` equal groups, drops the remainder at the end, and
    keeps a step that has anything valid in its group, unlike the block's true receptive field
    (quirk 1 of the published system). Only for parity: in a padded batch these lengths are wrong.
    """
    group = size_in // size_out
    return (lengths + group - 1).div(group, rounding_mode="floor").clamp(max=size_out)
