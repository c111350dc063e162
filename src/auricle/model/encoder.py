"""The encoder contract: waveforms in, features out, for every frozen feature extractor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

# [B, T, F] frames and their [B] lengths -> frames of the same shape: masked, while training.
Augment: TypeAlias = Callable[[Tensor, Tensor], Tensor]


class Encoder(nn.Module):
    """Turns waveforms into features: BEATs for the published system, YAMNet for ``tiny``.

    Attributes:
        sample_rate_hz: the rate of the waveforms it reads.
        frame_rate_hz: features per second it gives.
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

        A recording padded in a batch gives the features it gives alone; what stands beyond its
        length is undefined.
        """
        raise NotImplementedError
