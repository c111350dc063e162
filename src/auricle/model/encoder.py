"""The encoder contract of every frozen feature extractor: waveforms -> features."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

# [B, T, F] frames and their [B] lengths -> masked frames of the same shape, in training.
Augment: TypeAlias = Callable[[Tensor, Tensor], Tensor]


class Encoder(nn.Module):
    """Turns waveforms into features: BEATs for the published system, YAMNet for ``tiny``.

    Attributes:
        sample_rate_hz: the sample rate of its waveforms.
        frame_rate_hz: its features per second.
        dim: width of a feature.
    """

    sample_rate_hz: int
    frame_rate_hz: float
    dim: int

    def forward(
        self, waveforms: Tensor, lengths: Tensor, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """[B, L] float32 in [-1, 1] and [B] samples -> [B, T, dim] features and [B] frames.

        ``augment`` changes the spectrogram that the network reads.

        A recording has the same features alone and padded in a batch; values beyond its length are
        undefined.
        """
        raise NotImplementedError
