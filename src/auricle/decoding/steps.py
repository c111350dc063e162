"""Steps of a search: a model gives the logits of every row's next token."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from auricle.model.bart import BartDecoder, CrossMemory, DecoderCache
from auricle.model.config import DecoderConfig


class Steps(Protocol):
    """One model, or several together, that decode B clips token by token.

    A *row* is a token sequence of one clip; at the start every clip has one row, in order.

    Attributes:
        config: the vocabulary (``vocab_size``, ``start_id``, ``eos_id``, ``pad_id``) and the
            longest sequence (``max_positions``).
        clips: B.
        device: the device of tokens and logits.
    """

    @property
    def config(self) -> DecoderConfig: ...
    @property
    def clips(self) -> int: ...
    @property
    def device(self) -> torch.device: ...

    def part(self, clips: slice) -> Steps:
        """The steps of some of the clips, not yet begun."""

    def begin(self, rows: int, tokens: int) -> None:
        """Start with one row per clip; at most ``rows`` rows of ``tokens`` tokens will follow."""

    def next_logits(self, tokens: Tensor) -> Tensor:
        """Append ``tokens`` [R] to the rows -> logits [R, V] of the next token, float32.

        The logits may be log-probabilities. The caller may write into them.
        """

    def select(self, rows: Tensor) -> None:
        """Make row i a copy of row ``rows[i]``, with its clip; drop the other rows."""


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
        if 2 * len(left) <= self._cross.clips:  # rarely: it copies memory
            self._cross = self._cross.part(left)
            clip = torch.searchsorted(left, clip)
        self._clip, self._cross = clip, self._cross.read_by(clip)
