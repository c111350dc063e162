"""What a search asks of a model: the logits of the next token of every row."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from auricle.model.bart import BartDecoder, CrossMemory, DecoderCache
from auricle.model.config import DecoderConfig


class Steps(Protocol):
    """A model, or several that speak as one, listening to B clips and saying token after token.

    A *row* is a token sequence about one clip; at the beginning every clip has one row, in order.

    Attributes:
        config: of the vocabulary (``vocab_size``, ``start_id``, ``eos_id``, ``pad_id``) and the
            longest sequence (``max_positions``).
        clips: B.
        device: where tokens and logits are.
    """

    @property
    def config(self) -> DecoderConfig: ...
    @property
    def clips(self) -> int: ...
    @property
    def device(self) -> torch.device: ...

    def part(self, clips: slice) -> Steps:
        """Steps of some of the clips, before their beginning."""

    def begin(self, rows: int, tokens: int) -> None:
        """One row per clip; there will be at most ``rows`` rows of ``tokens`` tokens."""

    def next_logits(self, tokens: Tensor) -> Tensor:
        """Append ``tokens`` [R] to the rows -> logits [R, V] of what follows, float32.

        The logits may be log-probabilities. The caller may write into them.
        """

    def select(self, rows: Tensor) -> None:
        """Row i becomes a copy of row ``rows[i]``, its clip too; the others are forgotten."""


class DecoderSteps:
    """The steps of one decoder."""

    def __init__(self, decoder: BartDecoder, cross: CrossMemory) -> None:
        self.config = decoder.config
        self.clips = cross.clips
        self.device = cross.mask.device
        self._decoder = decoder
        self._memory = cross

    def part(self, clips: slice) -> DecoderSteps:
        return DecoderSteps(self._decoder, self._memory.part(clips))

    def begin(self, rows: int, tokens: int) -> None:
        self._cache = DecoderCache(self.config, rows, tokens, like=self._memory.keys[0])
        self._cross = self._memory
        self._clip = torch.arange(self.clips, device=self.device)

    def next_logits(self, tokens: Tensor) -> Tensor:
        hidden = self._decoder.hidden(tokens.unsqueeze(1), self._cross, self._cache)
        return self._decoder.logits(hidden.squeeze(1)).float()

    def select(self, rows: Tensor) -> None:
        self._cache.select(rows)
        clip = self._clip[rows]
        if torch.equal(clip, self._clip):
            return
        left = clip.unique()
        if 2 * len(left) <= self._cross.clips:  # rarely, for it copies the memory of those left
            self._cross = self._cross.part(left)
            clip = torch.searchsorted(left, clip)
        self._clip, self._cross = clip, self._cross.read_by(clip)
