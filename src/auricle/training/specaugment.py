"""SpecAugment (Park et al., Interspeech 2019): time warp, frequency masks and time masks.

Values, widths and interpolation are those of the code released with Wu et al., ICASSP 2024, which
has them from ESPnet. Ours are the borders between clips. Each draws its own point of warping and
keeps to its own frames, where the released code warps and measures a batch with its padding; and a
mask starts wherever it fits, where the released code leaves out the last places of all for the
widest mask of the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from auricle.model.lengths import valid_mask
from auricle.training.config import SpecAugmentConfig

SHARPNESS = -0.75  # of the cubic kernel (Keys, 1981), as torch.nn.functional.interpolate has it


def spec_augment(x: Tensor, lengths: Tensor, config: SpecAugmentConfig) -> Tensor:
    """[B, T, F] frames and their [B] lengths -> a warped and masked copy; padding is left alone.

    Every clip draws its own point of warping, masks and widths, uniformly, from torch's global
    generator of the device. Masks hold what ``config.fill`` says.
    """
    valid = valid_mask(lengths, x.shape[1]).unsqueeze(-1)  # [B, T, 1]
    if config.time_warp:
        x = torch.where(valid, time_warp(x, lengths, config.time_warp), x)
    masked = frequency_mask(x, config) | time_mask(x, lengths, config)
    value = x.new_zeros(())
    if config.fill == "mean":
        sums = (x.detach() * valid).sum((1, 2)) / (lengths * x.shape[2]).clamp(min=1)
        value = sums.to(x.dtype)[:, None, None]
    return torch.where(masked & valid, value, x)


def time_warp(x: Tensor, lengths: Tensor, reach: int) -> Tensor:
    """[B, T, F] with one point in time of each clip moved by less than ``reach`` frames back or up
    to ``reach`` forth, what lies before and after it stretched or squeezed.

    The point is drawn from the frames that have ``reach`` on either side; a clip that has none is
    left as it is.
    """
    points = (lengths - 2 * reach).unsqueeze(1)  # from reach to length - reach - 1
    centre = reach + _uniform((points - 1).clamp(min=0))
    moved = centre - reach + 1 + _uniform(torch.full_like(centre, 2 * reach - 1))
    still = points <= 0
    return stretch(x, lengths, centre.masked_fill(still, 0), moved.masked_fill(still, 0))


def stretch(x: Tensor, lengths: Tensor, centre: Tensor, moved: Tensor) -> Tensor:
    """[B, T, F] whose first ``centre`` [B, 1] frames become ``moved`` [B, 1], and whose other
    frames become what is left of the clip's ``lengths`` [B].

    Either part alone is interpolated by a cubic kernel over the middles of frames, its first and
    last frame repeated outside of it. Frames after the clip's end are of no use.
    """
    end = lengths.unsqueeze(1)
    frame = torch.arange(x.shape[1], device=x.device)  # [T]
    before = frame < moved
    first, last = torch.where(before, 0, centre), torch.where(before, centre, end) - 1  # [B, T]
    start = torch.where(before, 0, moved)
    frames = torch.where(before, moved, end - moved).clamp(min=1)
    source = (frame - start + 0.5) * ((last + 1 - first) / frames) - 0.5 + first
    left = source.floor()
    share = source - left
    warped = torch.zeros_like(x)
    for tap in range(-1, 3):
        place = (left.long() + tap).minimum(last).maximum(first).clamp(0, x.shape[1] - 1)
        weight = _cubic((share - tap).abs()).unsqueeze(-1).to(x.dtype)
        warped = warped + weight * _take(x, place)
    return warped


def frequency_mask(x: Tensor, config: SpecAugmentConfig) -> Tensor:
    """[B, 1, F] bool, True in ``frequency_masks`` bands of less than ``frequency_width`` bins, and
    less than half of all: the published 64 are half of BEATs' 128 mel bins, but all of YAMNet's."""
    widest = min(config.frequency_width, x.shape[2] // 2)
    return _bands(
        torch.full((len(x),), x.shape[2], device=x.device),
        torch.full((len(x),), widest, device=x.device),
        config.frequency_masks,
        x.shape[2],
    ).unsqueeze(1)


def time_mask(x: Tensor, lengths: Tensor, config: SpecAugmentConfig) -> Tensor:
    """[B, T, 1] bool, True in ``time_masks`` spans of less than ``time_share`` of the clip's
    frames."""
    widest = (lengths * config.time_share).long()
    return _bands(lengths, widest, config.time_masks, x.shape[1]).unsqueeze(-1)


def _bands(sizes: Tensor, widest: Tensor, count: int, size: int) -> Tensor:
    """[B, size] bool, True in ``count`` bands of 0 to ``widest`` [B] - 1, within the first
    ``sizes`` [B] places."""
    highest = (widest - 1).clamp(min=0)
    widths = _uniform(highest.unsqueeze(1).expand(-1, count))  # [B, count]
    starts = _uniform(sizes.unsqueeze(1) - widths)
    place = torch.arange(size, device=sizes.device)[:, None, None]  # [size, 1, 1]
    return ((place >= starts) & (place < starts + widths)).any(-1).T


def _uniform(highest: Tensor) -> Tensor:
    """Whole numbers from 0 to ``highest``, both included; same shape."""
    drawn = torch.rand(highest.shape, device=highest.device) * (highest + 1)
    return drawn.long().minimum(highest)  # float32 may round the product up


def _cubic(distance: Tensor) -> Tensor:
    """The cubic convolution kernel at ``distance`` from 0 to 2."""
    d, a = distance, SHARPNESS
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, far)


def _take(x: Tensor, frames: Tensor) -> Tensor:
    """[B, T, F] and [B, T] indices -> the frames at those indices, [B, T, F]."""
    return x.gather(1, frames.unsqueeze(-1).expand(-1, -1, x.shape[2]))
