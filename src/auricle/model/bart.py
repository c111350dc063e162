"""BART's decoder (Lewis et al., ACL 2020) with a cache, reading one clip's memory for all its rows.

A *row* is one token sequence. Rows of a clip stand together, the same number for every clip, so the
keys and values of a clip's memory are computed once and never copied per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.model.config import DecoderConfig
from auricle.model.lengths import valid_mask

POSITION_OFFSET = 2  # BART's position tables leave their first two entries unused


@dataclass(frozen=True)
class CrossMemory:
    """Per layer the keys and values [B, H, T, D/H] of the clips' memory; ``mask`` [B, 1, 1, T]."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    mask: Tensor


class DecoderCache:
    """Self-attention keys and values of the tokens read so far, in preallocated memory."""

    def __init__(self, config: DecoderConfig, rows: int, max_tokens: int, like: Tensor) -> None:
        size = (rows, config.heads, max_tokens, config.dim // config.heads)
        self.keys = [like.new_empty(size) for _ in range(config.layers)]
        self.values = [like.new_empty(size) for _ in range(config.layers)]
        self.length = 0

    def reorder(self, rows: Tensor) -> None:
        """Row i becomes a copy of row ``rows[i]`` (beam search)."""
        used = slice(0, self.length)
        for store in (*self.keys, *self.values):
            store[: len(rows), :, used] = store[rows, :, used]


class BartDecoder(nn.Module):
    """Token ids and a clip's memory -> logits. Output and input embeddings are tied."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocab_size, config.dim, padding_idx=config.pad_id)
        self.positions = nn.Embedding(config.max_positions + POSITION_OFFSET, config.dim)
        self.memory_positions = nn.Embedding(config.max_memory + POSITION_OFFSET, config.dim)
        self.embedding_norm = nn.LayerNorm(config.dim)
        self.layers = nn.ModuleList(BartLayer(config) for _ in range(config.layers))
        self.logits_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.dropout = nn.Dropout(config.dropout)

    def read_memory(self, memory: Tensor, lengths: Tensor) -> CrossMemory:
        """[B, T, D] memory -> every layer's cross-attention keys and values, once per clip.

        Learned positions are added here, for the decoder alone.

        Raises:
            ValueError: when T exceeds the table of positions.
        """
        frames = memory.shape[1]
        if frames > self.config.max_memory:
            raise ValueError(
                f"the memory has {frames} frames and the decoder positions for "
                f"{self.config.max_memory}: cut the recording into shorter windows"
            )
        memory = memory + self.memory_positions.weight[POSITION_OFFSET:][:frames]
        attentions = [cast(BartLayer, layer).cross_attention for layer in self.layers]
        pairs = [attention.keys_values(memory) for attention in attentions]
        keys, values = zip(*pairs, strict=True)
        return CrossMemory(keys, values, valid_mask(lengths, frames)[:, None, None, :])

    def forward(
        self, token_ids: Tensor, cross: CrossMemory, cache: DecoderCache | None = None
    ) -> Tensor:
        """[R, L] ids of R = B * rows-per-clip rows -> [R, L, V] logits.

        With a ``cache`` the ids follow those it has read, and are added to it.
        """
        start = cache.length if cache else 0
        positions = self.positions.weight[POSITION_OFFSET + start :][: token_ids.shape[1]]
        x = self.dropout(self.embedding_norm(self.tokens(token_ids) + positions))
        for index, layer in enumerate(self.layers):
            x = layer(x, cross, index, cache)
        if cache:
            cache.length += token_ids.shape[1]
        return F.linear(x, self.tokens.weight, self.logits_bias)


class BartLayer(nn.Module):
    """Post-norm: causal self-attention, cross-attention, GELU feed-forward."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.self_attention = Attention(config)
        self.self_attention_norm = nn.LayerNorm(config.dim)
        self.cross_attention = Attention(config)
        self.cross_attention_norm = nn.LayerNorm(config.dim)
        self.ffn_in = nn.Linear(config.dim, config.ffn_dim)
        self.ffn_out = nn.Linear(config.ffn_dim, config.dim)
        self.ffn_norm = nn.LayerNorm(config.dim)
        self.dropout = nn.Dropout(config.dropout)
        self.activation_dropout = nn.Dropout(config.activation_dropout)

    def forward(
        self, x: Tensor, cross: CrossMemory, index: int, cache: DecoderCache | None
    ) -> Tensor:
        heard = self.self_attention.to_past(x, index, cache)
        x = self.self_attention_norm(x + self.dropout(heard))
        heard = self.cross_attention.to_memory(
            x, cross.keys[index], cross.values[index], cross.mask
        )
        x = self.cross_attention_norm(x + self.dropout(heard))
        y = self.ffn_out(self.activation_dropout(F.gelu(self.ffn_in(x))))
        return self.ffn_norm(x + self.dropout(y))


class Attention(nn.Module):
    """Multi-head attention over a row's past tokens or over its clip's memory."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = config.attention_dropout
        self.query = nn.Linear(config.dim, config.dim)
        self.key = nn.Linear(config.dim, config.dim)
        self.value = nn.Linear(config.dim, config.dim)
        self.out = nn.Linear(config.dim, config.dim)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, D] -> keys and values [B, H, T, D/H]."""
        return self._split(self.key(x)), self._split(self.value(x))

    def to_past(self, x: Tensor, index: int, cache: DecoderCache | None) -> Tensor:
        """Causal self-attention of ``x`` [R, L, D], after the cached tokens if there are any."""
        query = self._split(self.query(x))
        key, value = self.keys_values(x)
        if cache:
            start, end = cache.length, cache.length + x.shape[1]
            assert start == 0 or x.shape[1] == 1, "after the first call tokens come one by one"
            cache.keys[index][:, :, start:end] = key
            cache.values[index][:, :, start:end] = value
            key, value = cache.keys[index][:, :, :end], cache.values[index][:, :, :end]
        return self._attend(query, key, value, causal=x.shape[1] > 1)

    def to_memory(self, x: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """Cross-attention of ``x`` [B * N, L, D]: the N rows of a clip are one longer query."""
        rows = x.shape[0]
        query = self._split(self.query(x).reshape(key.shape[0], -1, x.shape[-1]))
        return self._attend(query, key, value, mask=mask).reshape(rows, -1, x.shape[-1])

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        x = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            is_causal=causal,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(x.transpose(1, 2).flatten(2))
