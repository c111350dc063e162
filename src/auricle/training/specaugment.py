"""SpecAugment (Park et al., Interspeech 2019): time warp, frequency masks and time masks."""

from __future__ import annotations

import torch
from torch import Tensor

from auricle.model.lengths import valid_mask
from auricle.training.config import SpecAugmentConfig


def spec_augment(x: Tensor, lengths: Tensor, config: SpecAugmentConfig) -> Tensor:
    """[B, T, F] frames and their [B] lengths -> a warped and masked copy; padding is left alone.

    Every clip draws its own point of warping, masks and widths, uniformly, from torch's global
    generator of the device. Masks hold the clip's mean: of frames that are normalised that is the
    zero of the paper, and of YAMNet's log-mels, which are not, a level that gives nothing away.
    """
    valid = valid_mask(lengths, x.shape[1]).unsqueeze(-1)  # [B, T, 1]
    if config.time_warp:
        x = torch.where(valid, time_warp(x, lengths, config.time_warp), x)
    masked = frequency_mask(x, config) | time_mask(x, lengths, config)
    mean = (x.detach() * valid).sum((1, 2)) / (lengths * x.shape[2]).clamp(min=1)
    return torch.where(masked & valid, mean.to(x.dtype)[:, None, None], x)


def time_warp(x: Tensor, lengths: Tensor, reach: int) -> Tensor:
    """[B, T, F] with one point in time of each clip moved by up to ``reach`` frames, what lies
    before and after it stretched or squeezed, by linear interpolation.

    The point is drawn from the frames further than ``reach`` from either end; a clip that has none
    is left as it is.
    """
    last = (lengths - 1).unsqueeze(1)  # [B, 1]
    points = last - 2 * reach - 1  # from reach + 1 to last - reach - 1
    centre = reach + 1 + _uniform((points - 1).clamp(min=0))
    moved = centre + _uniform(torch.full_like(last, 2 * reach)) - reach
    frame = torch.arange(x.shape[1], device=x.device)  # [T]
    before = frame * centre / moved
    after = centre + (frame - moved) * (last - centre) / (last - moved)
    source = torch.where(frame < moved, before, after)
    source = torch.where(points > 0, source, frame).clamp(0, x.shape[1] - 1)
    left = source.floor()
    share = (source - left).unsqueeze(-1).to(x.dtype)
    at, then = left.long(), source.ceil().long()
    return torch.lerp(_take(x, at), _take(x, then), share)


def frequency_mask(x: Tensor, config: SpecAugmentConfig) -> Tensor:
    """[B, 1, F] bool, True in ``frequency_masks`` bands of 0 to ``frequency_width`` bins, at most
    half of all: the published 64 are half of BEATs' 128 mel bins, but all of YAMNet's."""
    widest = min(config.frequency_width, x.shape[2] // 2)
    return _bands(
        torch.full((len(x),), x.shape[2], device=x.device),
        torch.full((len(x),), widest, device=x.device),
        config.frequency_masks,
        x.shape[2],
    ).unsqueeze(1)


def time_mask(x: Tensor, lengths: Tensor, config: SpecAugmentConfig) -> Tensor:
    """[B, T, 1] bool, True in ``time_masks`` spans of 0 to ``time_share`` of the clip's frames."""
    widest = (lengths * config.time_share).long()
    return _bands(lengths, widest, config.time_masks, x.shape[1]).unsqueeze(-1)


def _bands(sizes: Tensor, widest: Tensor, count: int, size: int) -> Tensor:
    """[B, size] bool, True in ``count`` bands of 0 to ``widest`` [B], within the first ``sizes``
    [B] places."""
    widths = _uniform(widest.unsqueeze(1).expand(-1, count))  # [B, count]
    starts = _uniform(sizes.unsqueeze(1) - widths)
    place = torch.arange(size, device=sizes.device)[:, None, None]  # [size, 1, 1]
    return ((place >= starts) & (place < starts + widths)).any(-1).T


def _uniform(highest: Tensor) -> Tensor:
    """Whole numbers from 0 to ``highest``, both included; same shape."""
    drawn = torch.rand(highest.shape, device=highest.device) * (highest + 1)
    return drawn.long().minimum(highest)  # float32 may round the product up


def _take(x: Tensor, frames: Tensor) -> Tensor:
    """[B, T, F] and [B, T] indices -> the frames at those indices, [B, T, F]."""
    return x.gather(1, frames.unsqueeze(-1).expand(-1, -1, x.shape[2]))
