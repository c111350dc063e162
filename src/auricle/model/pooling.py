"""Pooling over time and the head that predicts the caption's text embedding."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.model.batchnorm import BatchNorm
from auricle.model.config import EmbeddingConfig
from auricle.model.lengths import valid_mask

PLACES = 8  # cosines for the position of a frame in its clip, 1 to 8 half turns per clip


def mean_pool(x: Tensor, lengths: Tensor, published_behaviour: bool = False) -> Tensor:
    """[B, T, D] -> [B, D], the mean over valid frames.

    With ``published_behaviour``, all frames are summed, with padding, and divided by the valid
    count (quirk 3 of the published system).
    """
    if not published_behaviour:
        x = x * valid_mask(lengths, x.shape[1]).unsqueeze(-1)
    return x.sum(dim=1) / lengths.unsqueeze(1)


class MeanPooling(nn.Module):
    """[B, T, D] and [B] lengths -> [B, D]; see `mean_pool`."""

    def __init__(self, published_behaviour: bool = False) -> None:
        super().__init__()
        self.published_behaviour = published_behaviour

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return mean_pool(x, lengths, self.published_behaviour)


class QueryPooling(nn.Module):
    """One learned query that attends to the frames: [B, T, D] and [B] lengths -> [B, D].

    The keys contain each frame's relative position in its clip, so a head can attend to the
    beginning or the end, and "a then b" differs from "b then a". No linear map follows the heads,
    because the embedding head begins with one. Softmax would cancel a bias of the keys, and the
    BatchNorm of the embedding head a bias of the values, so there are none.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(heads, dim // heads))
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.place = nn.Parameter(torch.randn(PLACES, dim) / math.sqrt(PLACES))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        heads = len(self.query)
        key = _by_head(
            self.key(x + places(lengths, x.shape[1]).type_as(self.place) @ self.place), heads
        )
        query = self.query.to(key.dtype).unsqueeze(1).expand(len(x), -1, -1, -1)  # [B, H, 1, D/H]
        mask = valid_mask(lengths, x.shape[1])[:, None, None]  # [B, 1, 1, T]
        value = _by_head(self.value(x), heads)
        return F.scaled_dot_product_attention(query, key, value, mask).flatten(1)


class SelfAttentionPooling(nn.Module):
    """Self-attention and a linear map, added to the frames; then their mean, [B, D]."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.place = nn.Parameter(torch.randn(PLACES, dim) / math.sqrt(PLACES))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        placed = x + places(lengths, x.shape[1]).type_as(self.place) @ self.place
        query, key = (
            _by_head(self.query(placed), self.heads),
            _by_head(self.key(placed), self.heads),
        )
        mask = valid_mask(lengths, x.shape[1])[:, None, None]  # [B, 1, 1, T]
        y = F.scaled_dot_product_attention(query, key, _by_head(self.value(x), self.heads), mask)
        return mean_pool(x + self.out(y.transpose(1, 2).flatten(2)), lengths)


class EmbeddingHead(nn.Module):
    """Pooled memory -> [B, E] audio embedding in the text embedder's space.

    Linear, BatchNorm, GELU, Linear, without biases (published section 2.2).
    """

    def __init__(
        self, config: EmbeddingConfig, dim: int, published_behaviour: bool = False
    ) -> None:
        super().__init__()
        self.pooling = build_pooling(config, dim, published_behaviour)
        self.hidden = nn.Linear(dim, config.hidden_dim, bias=False)
        self.norm = BatchNorm(config.hidden_dim)
        self.out = nn.Linear(config.hidden_dim, config.dim, bias=False)

    def forward(self, memory: Tensor, lengths: Tensor) -> Tensor:
        return self.out(F.gelu(self.norm(self.hidden(self.pooling(memory, lengths)))))


def build_pooling(config: EmbeddingConfig, dim: int, published_behaviour: bool) -> nn.Module:
    """The pooling that a configuration names."""
    if config.pooling == "query":
        return QueryPooling(dim, config.pooling_heads)
    if config.pooling == "self-attention":
        return SelfAttentionPooling(dim, config.pooling_heads)
    return MeanPooling(published_behaviour)


def places(lengths: Tensor, frames: int) -> Tensor:
    """[B, frames, PLACES] float32: the position of each frame in its clip, from 0 to 1, as cosines
    of 1 to `PLACES` half turns."""
    share = torch.arange(frames, device=lengths.device) / (lengths - 1).clamp(min=1).unsqueeze(1)
    turns = torch.arange(1, PLACES + 1, device=lengths.device)
    return (math.pi * share.unsqueeze(-1) * turns).cos()


def _by_head(x: Tensor, heads: int) -> Tensor:
    """[B, T, D] -> [B, H, T, D/H]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)
