"""BART's decoder (Lewis et al., ACL 2020) with a cache; all rows of a clip share its memory.

A *row* is one token sequence. The keys and values of a clip's memory are computed once and never
copied per row: all rows of a clip are one longer query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.errors import ModelError
from auricle.model.config import DecoderConfig
from auricle.model.lengths import valid_mask

POSITION_OFFSET = 2  # BART's position tables leave their first two entries unused


@dataclass(frozen=True)
class ClipRows:
    """The clip of each row, for rows in any order and any number per clip.

    Attributes:
        slots: [B, N] the rows of each clip; N is the largest number per clip, free slots hold any.
        places: [R] the index of each row in the flattened ``slots``.
    """

    slots: Tensor
    places: Tensor

    @classmethod
    def of(cls, clip: Tensor, clips: int) -> ClipRows | None:
        """From the clip [R] of each row; None if the rows need no sorting."""
        if clips == 1:
            return None
        counts = clip.bincount(minlength=clips)
        most = int(counts.max())
        order = clip.argsort(stable=True)
        first = counts.cumsum(0) - counts
        sorted_clip = clip[order]
        rank = torch.arange(len(clip), device=clip.device) - first[sorted_clip]
        places = torch.empty_like(clip)
        places[order] = sorted_clip * most + rank
        slots = clip.new_zeros(clips * most)
        slots[places] = torch.arange(len(clip), device=clip.device)
        return cls(slots.view(clips, most), places)


@dataclass(frozen=True)
class CrossMemory:
    """Per layer the keys and values [B, H, T, D/H] of the clips' memory; ``mask`` [B, 1, 1, T].

    ``rows`` assigns rows to clips; None if the rows are ordered by clip, with the same number for
    every clip.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    mask: Tensor
    rows: ClipRows | None = None

    @property
    def clips(self) -> int:
        return self.mask.shape[0]

    def part(self, clips: slice | Tensor) -> CrossMemory:
        """The memory of some of the clips: a view for a slice, a copy for indices [B']."""
        return CrossMemory(
            tuple(keys[clips] for keys in self.keys),
            tuple(values[clips] for values in self.values),
            self.mask[clips],
        )

    def read_by(self, clip: Tensor) -> CrossMemory:
        """The same memory for rows of the clips ``clip`` [R]."""
        return replace(self, rows=ClipRows.of(clip, self.clips))


class DecoderCache:
    """Self-attention keys and values of the tokens so far, in preallocated memory."""

    def __init__(self, config: DecoderConfig, rows: int, max_tokens: int, like: Tensor) -> None:
        size = (2, config.layers, rows, config.heads, max_tokens, config.dim // config.heads)
        self._store = like.new_empty(size)
        self.length = 0

    def append(self, index: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add layer ``index``'s keys and values [R, H, L, D/H] of the next L tokens of the first R
        rows; return those of all tokens so far."""
        rows, end = len(key), self.length + key.shape[2]
        assert self.length == 0 or key.shape[2] == 1, "after the first call tokens come one by one"
        self._store[0, index, :rows, :, self.length : end] = key
        self._store[1, index, :rows, :, self.length : end] = value
        keys, values = self._store[:, index, :rows, :, :end]
        return keys, values

    def select(self, rows: Tensor) -> None:
        """Make row i a copy of row ``rows[i]``; rows that stay are not copied."""
        target = (rows != torch.arange(len(rows), device=rows.device)).nonzero().flatten()
        if len(target):
            used = self._store[:, :, :, :, : self.length]
            used[:, :, target] = used[:, :, rows[target]]


class BartDecoder(nn.Module):
    """Token ids and a clip's memory -> logits. Output and input embeddings are tied.

    ``vocabulary`` may hold a module [..., D] -> [..., V] that replaces the tied output projection,
    such as one with packed weights.
    """

    vocabulary: Callable[[Tensor], Tensor] | None

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
        self.register_module("vocabulary", None)

    def read_memory(self, memory: Tensor, lengths: Tensor) -> CrossMemory:
        """[B, T, D] memory -> every layer's cross-attention keys and values, once per clip.

        Learned positions are added here, for the decoder only.

        Raises:
            ModelError: T exceeds the table of positions.
        """
        frames = memory.shape[1]
        if frames > self.config.max_memory:
            raise ModelError(
                f"the memory has {frames} frames, but the decoder has positions for "
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
        """[R, L] ids of R rows -> [R, L, V] logits; see `hidden`."""
        return self.logits(self.hidden(token_ids, cross, cache))

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., D] -> [..., V]."""
        if self.vocabulary is not None:
            return self.vocabulary(hidden)
        return F.linear(hidden, self.tokens.weight, self.logits_bias)

    def hidden(
        self, token_ids: Tensor, cross: CrossMemory, cache: DecoderCache | None = None
    ) -> Tensor:
        """[R, L] ids -> [R, L, D] hidden states, the input of `logits`.

        ``cross.rows`` assigns rows to clips. With a ``cache``, the ids follow the cached ones and
        are added to it.
        """
        start = cache.length if cache else 0
        positions = self.positions.weight[POSITION_OFFSET + start :][: token_ids.shape[1]]
        x = self.dropout(self.embedding_norm(self.tokens(token_ids) + positions))
        for index, layer in enumerate(self.layers):
            x = layer(x, cross, index, cache)
        if cache:
            cache.length += token_ids.shape[1]
        return x


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
        attended = self.self_attention.to_past(x, index, cache)
        x = self.self_attention_norm(x + self.dropout(attended))
        attended = self.cross_attention.to_memory(x, cross, index)
        x = self.cross_attention_norm(x + self.dropout(attended))
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
        return self.split(self.key(x)), self.split(self.value(x))

    def to_past(self, x: Tensor, index: int, cache: DecoderCache | None) -> Tensor:
        """Causal self-attention of ``x`` [R, L, D], after the cached tokens if there are any."""
        query = self.split(self.query(x))
        key, value = self.keys_values(x)
        if cache:
            key, value = cache.append(index, key, value)
        return self.out(self._attend(query, key, value, causal=x.shape[1] > 1))

    def to_memory(self, x: Tensor, cross: CrossMemory, index: int) -> Tensor:
        """Cross-attention of ``x`` [R, L, D]; the N rows of a clip form one longer query."""
        query = self.query(x)
        if cross.rows:
            query = query[cross.rows.slots]
        query = query.reshape(cross.clips, -1, x.shape[-1])  # [B, N * L, D]
        attended = self._attend(
            self.split(query), cross.keys[index], cross.values[index], mask=cross.mask
        )
        attended = attended.reshape(-1, *x.shape[1:])
        return self.out(attended[cross.rows.places] if cross.rows else attended)

    def split(self, x: Tensor) -> Tensor:
        """[B, L, D] -> [B, H, L, D/H]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """[..., H, L, D/H] queries -> [..., L, D]."""
        x = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            is_causal=causal,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return x.transpose(1, 2).flatten(2)
