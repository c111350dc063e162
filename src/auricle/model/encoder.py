"""The encoder contract of every frozen feature extractor: waveforms -> features."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

# [B, T, F] frames and their [B] lengths -> masked frames of the same shape, in training.
Augment: TypeAlias = Callable[[Tensor, Tensor], Tensor]


SLACK = 0.25  # of a step


class Encoder(nn.Module):
    """Turns waveforms into features: BEATs for the published system, YAMNet for ``tiny``.

    Attributes:
        sample_rate_hz: the sample rate of its waveforms.
        frame_rate_hz: its features per second.
        dim: width of a feature.
        span_s: seconds of sound that a feature is computed from.
        classes: so many numbers at the start of a feature are scores of classes.
        gives_log_odds: the scores are log-odds, from -8 to 4 scaled to [0, 2], and all that a
            feature has except the voice.
        together: consecutive features that hear the same span, such as its bands of frequency.
    """

    sample_rate_hz: int
    frame_rate_hz: float
    dim: int
    span_s: float
    together: int = 1
    classes: int = 0
    gives_log_odds: bool = False

    def forward(
        self, waveforms: Tensor, lengths: Tensor, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """[B, L] float32 in [-1, 1] and [B] samples -> [B, T, dim] features and [B] frames.

        ``augment`` changes the spectrogram that the network reads.

        A recording has the same features alone and padded in a batch; values beyond its length are
        undefined.
        """
        raise NotImplementedError

    def heard(self, peaks: Tensor, least: float, most: int) -> list[tuple[str, ...]]:
        """Of each clip, the names of at most so many classes whose probability is ``least`` or
        more, best first; ``peaks``: [B, `classes`] scores."""
        raise NotImplementedError

    def frames_of(self, start_s: float, end_s: float) -> slice:
        """The features that hear a section of a recording, in seconds, and at most a quarter of a
        step beyond it; at least those of one step."""
        step_s = self.together / self.frame_rate_hz
        first = max(0, math.ceil(start_s / step_s - SLACK))
        last = max(first, math.floor((end_s - self.span_s) / step_s + SLACK))
        return slice(first * self.together, (last + 1) * self.together)
