"""Pooling over time and the head that predicts the caption's text embedding."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from auricle.model.batchnorm import BatchNorm
from auricle.model.config import EmbeddingConfig
from auricle.model.lengths import valid_mask


def mean_pool(x: Tensor, lengths: Tensor, published_behaviour: bool = False) -> Tensor:
    """[B, T, D] -> [B, D], the mean over valid frames.

    With ``published_behaviour`` all frames are summed, padding included, and divided by the
    valid count (quirk 3 of the published system).
    """
    if not published_behaviour:
        x = x * valid_mask(lengths, x.shape[1]).unsqueeze(-1)
    return x.sum(dim=1) / lengths.unsqueeze(1)


class EmbeddingHead(nn.Module):
    """Pooled memory -> [B, E] audio embedding in the text embedder's space.

    Linear, BatchNorm, GELU, Linear, without biases (published section 2.2).
    """

    def __init__(
        self, config: EmbeddingConfig, dim: int, published_behaviour: bool = False
    ) -> None:
        super().__init__()
        self.published_behaviour = published_behaviour
        self.hidden = nn.Linear(dim, config.hidden_dim, bias=False)
        self.norm = BatchNorm(config.hidden_dim)
        self.out = nn.Linear(config.hidden_dim, config.dim, bias=False)

    def forward(self, memory: Tensor, lengths: Tensor) -> Tensor:
        pooled = mean_pool(memory, lengths, self.published_behaviour)
        return self.out(F.gelu(self.norm(self.hidden(pooled))))
