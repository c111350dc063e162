"""Conformer layers (Gulati et al., Interspeech 2020), in the Wav2Vec2-Conformer variant of the
published system: relative position attention, BatchNorm in the convolution, half-step FFNs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.model.batchnorm import BatchNorm
from auricle.model.config import ConformerConfig
from auricle.model.lengths import valid_mask


class Conformer(nn.Module):
    """[B, T, D] and [B] lengths -> [B, T, D]."""

    def __init__(self, config: ConformerConfig, published_behaviour: bool = False) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            ConformerLayer(config, published_behaviour) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask = valid_mask(lengths, x.shape[1])  # [B, T]
        x = self.dropout(x * mask.unsqueeze(-1))
        positions = relative_positions(x.shape[1], self.config.dim, x.device, x.dtype)
        for layer in self.layers:
            x = layer(x, positions, mask)
        return self.norm(x)


class ConformerLayer(nn.Module):
    """Half FFN, self-attention, convolution, half FFN, LayerNorm."""

    def __init__(self, config: ConformerConfig, published_behaviour: bool) -> None:
        super().__init__()
        self.ffn1 = FeedForward(config)
        self.attention_norm = nn.LayerNorm(config.dim)
        self.attention = RelativeAttention(config)
        self.conv = ConvolutionModule(config, published_behaviour)
        self.ffn2 = FeedForward(config)
        self.norm = nn.LayerNorm(config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        x = x + 0.5 * self.ffn1(x)
        x = x + self.dropout(self.attention(self.attention_norm(x), positions, mask))
        x = x + self.conv(x, mask)
        x = x + 0.5 * self.ffn2(x)
        return self.norm(x)


class FeedForward(nn.Sequential):
    """LayerNorm, swish FFN with dropout: [..., D] -> [..., D]."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__(
            nn.LayerNorm(config.dim),
            nn.Linear(config.dim, config.ffn_dim),
            nn.SiLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.ffn_dim, config.dim),
            nn.Dropout(config.dropout),
        )


class RelativeAttention(nn.Module):
    """Self-attention with Transformer-XL's relative positions (Dai et al., ACL 2019)."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.dim, config.dim)
        self.key = nn.Linear(config.dim, config.dim)
        self.value = nn.Linear(config.dim, config.dim)
        self.out = nn.Linear(config.dim, config.dim)
        self.position = nn.Linear(config.dim, config.dim, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(config.heads, config.dim // config.heads))
        self.position_bias = nn.Parameter(torch.zeros(config.heads, config.dim // config.heads))
        self.dropout = config.dropout

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """``x`` [B, T, D], ``positions`` [2T - 1, D], ``mask`` [B, T] True on valid frames."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, H, T, D/H]
            for layer in (self.query, self.key, self.value)
        )
        position_key = self.position(positions).unflatten(-1, (self.heads, -1))  # [2T-1, H, D/H]
        by_distance = (query + self.position_bias[:, None]) @ position_key.permute(1, 2, 0)
        bias = relative_shift(by_distance) / math.sqrt(query.shape[-1])  # [B, H, T, T]
        bias = bias.masked_fill(~mask[:, None, None, :], -torch.inf)
        x = F.scaled_dot_product_attention(
            query + self.content_bias[:, None],
            key,
            value,
            attn_mask=bias,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(x.transpose(1, 2).flatten(2))


class ConvolutionModule(nn.Module):
    """LayerNorm, GLU, depthwise convolution over time, BatchNorm, swish: [B, T, D] -> [B, T, D].

    Padding is set to zero before the convolution and left out of the batch statistics; the
    published system does neither (quirk 2).
    """

    def __init__(self, config: ConformerConfig, published_behaviour: bool) -> None:
        super().__init__()
        self.published_behaviour = published_behaviour
        self.input_norm = nn.LayerNorm(config.dim)
        self.pointwise_in = nn.Linear(config.dim, 2 * config.dim, bias=False)
        self.depthwise = nn.Conv1d(
            config.dim,
            config.dim,
            config.kernel,
            padding=config.kernel // 2,
            groups=config.dim,
            bias=False,
        )
        self.batch_norm = BatchNorm(config.dim)
        self.pointwise_out = nn.Linear(config.dim, config.dim, bias=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = F.glu(self.pointwise_in(self.input_norm(x)), dim=-1)
        if not self.published_behaviour:
            x = x * mask.unsqueeze(-1)
        x = self.depthwise(x.transpose(1, 2))  # [B, D, T]
        if self.training and not self.published_behaviour:
            x = x.transpose(1, 2)
            normed = torch.zeros_like(x)
            normed[mask] = self.batch_norm(x[mask]).to(x.dtype)
        else:
            normed = self.batch_norm(x).transpose(1, 2)
        return self.dropout(self.pointwise_out(F.silu(normed)))


def relative_positions(frames: int, dim: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Sinusoids of the distances frames-1 .. 1-frames, sines and cosines interleaved,
    [2 * frames - 1, dim]."""
    distance = torch.arange(frames - 1, -frames, -1, dtype=torch.float32, device=device)
    frequency = torch.exp(
        torch.arange(0, dim, 2, dtype=torch.float32, device=device) * (-math.log(10_000.0) / dim)
    )
    angle = distance.unsqueeze(1) * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).to(dtype)


def relative_shift(scores: Tensor) -> Tensor:
    """[..., T, 2T-1] scores by distance T-1 .. 1-T -> [..., T, T] scores by key.

    Entry (i, j) is the score of distance i - j, in column T - 1 - i + j: row i is shifted left by
    T - 1 - i, by adding a column and changing the stride.
    """
    *batch, frames, width = scores.shape
    padded = F.pad(scores, (1, 0)).reshape(*batch, width + 1, frames)
    return padded[..., 1:, :].reshape(*batch, frames, width)[..., :frames]
