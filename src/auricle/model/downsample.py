"""Convolutional downsampling between the encoder's frame rate and the Conformer's."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from auricle.model.config import DownsampleConfig
from auricle.model.lengths import published_lengths


class Downsample(nn.Module):
    """Strided convolution: [B, T, encoder dim] -> [B, (T - kernel) // rate + 1, model dim].

    Fewer frames than the kernel are padded with zeros, so every recording gives a step.
    """

    def __init__(
        self, config: DownsampleConfig, dim_in: int, dim: int, published_behaviour: bool = False
    ) -> None:
        super().__init__()
        self.config = config
        self.published_behaviour = published_behaviour
        self.conv = nn.Conv1d(dim_in, dim, config.kernel, config.rate)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        kernel, rate = self.config.kernel, self.config.rate
        if x.shape[1] < kernel:
            x = F.pad(x, (0, 0, 0, kernel - x.shape[1]))
        y = self.conv(x.transpose(1, 2)).transpose(1, 2)
        if self.published_behaviour:
            return y, published_lengths(lengths, x.shape[1], y.shape[1])
        return y, (lengths.clamp(min=kernel) - kernel) // rate + 1
