"""The network of our own fluency detector, over words and their repetitions.

                 hashed pieces of the word ─┐
    word ──────► distance to its last use ──┼─ sum ─► 4 dilated convolutions ─► logits per word
                 how long the repetition is ┘                                        │
                                     caption's logits = logsumexp over the words ◄───┘

Words are embedded by hashes of the word, its endings and its beginning. So there is no vocabulary,
and the ending of an unknown word still shows its kind (-ing, -s, -ly).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auricle.schema import Range, check
from auricle.text.fluency.detector import CLASSES

MAX_WORDS = 64  # with start and end marks; captions have 10 on average
START, END = "^", "$"
_PIECES = 5
_STEM = 4  # characters that two forms of a verb share: "barks", "barking"
_MAX_GAP, _MAX_RUN = 12, 5  # words
_DILATIONS = (1, 2, 4, 1)
_NOTHING = -30.0  # the logit of padding


@dataclass(frozen=True)
class FluencyConfig:
    """Sizes: number of hash ``buckets`` for pieces of words, ``dim`` of every vector."""

    buckets: Annotated[int, Range(1, 1 << 22)] = 1 << 14
    dim: Annotated[int, Range(1, 4_096)] = 96
    classes: Annotated[int, Range(len(CLASSES), len(CLASSES))] = len(CLASSES)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Words:
    """A padded batch of captions: int64 ``pieces`` [B, T, 5], ``gaps`` and ``runs`` [B, T], bool
    ``mask`` [B, T], True on words."""

    pieces: Tensor
    gaps: Tensor
    runs: Tensor
    mask: Tensor

    @classmethod
    def of(cls, captions: Sequence[str], buckets: int) -> Words:
        """The batch of captions in the form `as_judged` (auricle.text.normalise)."""
        rows = [[START, *caption.split()[: MAX_WORDS - 2], END] for caption in captions]
        lengths = torch.tensor([len(row) for row in rows])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        pieces = torch.zeros(*mask.shape, _PIECES, dtype=torch.long)
        repeats = torch.zeros(*mask.shape, 2, dtype=torch.long)
        pieces[mask] = torch.tensor([_hashes(word, buckets) for row in rows for word in row])
        repeats[mask] = torch.tensor([pair for row in rows for pair in repetitions(row)])
        return cls(pieces, repeats[..., 0], repeats[..., 1], mask)

    def to(self, device: torch.device) -> Words:
        return Words(*(t.to(device) for t in (self.pieces, self.gaps, self.runs, self.mask)))


@lru_cache(maxsize=1 << 16)
def _hashes(word: str, buckets: int) -> tuple[int, ...]:
    ends = (f"{word[-n:]}>" for n in (4, 3, 2))
    pieces = (f"<{word}>", *ends, f"<{word[:_STEM]}")
    return tuple(zlib.crc32(piece.encode()) % buckets for piece in pieces)


def repetitions(words: Sequence[str]) -> list[tuple[int, int]]:
    """Per word: how many words ago it last occurred, and how many words up to it occurred before in
    the same order (0, 0 if never). Words with the same first letters count as equal."""
    stems = [word[:_STEM] for word in words]
    found = []
    for i, stem in enumerate(stems):
        before = [j for j in range(i) if stems[j] == stem]
        runs = [_run(stems, j, i) for j in before]
        gap = min(i - before[-1], _MAX_GAP) if before else 0
        found.append((gap, max(runs, default=0)))
    return found


def _run(stems: Sequence[str], j: int, i: int) -> int:
    """The number of words up to ``j`` that equal those up to ``i``, without overlap."""
    n = 1
    while n < _MAX_RUN and n <= j and i - n > j and stems[j - n] == stems[i - n]:
        n += 1
    return n


class FluencyNetwork(nn.Module):
    """A network that finds errors of a caption, by word and by class."""

    def __init__(self, config: FluencyConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.pieces = nn.Embedding(config.buckets, dim)
        self.gaps = nn.Embedding(_MAX_GAP + 1, dim)
        self.runs = nn.Embedding(_MAX_RUN + 1, dim)
        for embedding in (self.pieces, self.gaps, self.runs):
            nn.init.normal_(embedding.weight, std=0.1)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in _DILATIONS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(dim, dim, 3, padding=dilation, dilation=dilation) for dilation in _DILATIONS
        )
        self.last_norm = nn.LayerNorm(dim)
        self.hidden = nn.Linear(2 * dim, dim)
        self.output = nn.Linear(dim, config.classes)

    def forward(self, words: Words, piece_keep: Tensor | None = None) -> Tensor:
        """Logits [B, T, classes] per word.

        Args:
            piece_keep: probability [5] that a piece of a word is kept, for training: with only its
                ending, a word looks like an unknown one.
        """
        x = self.pieces(words.pieces)  # [B, T, 5, D]
        if piece_keep is not None:
            x = x * torch.bernoulli(piece_keep.expand(x.shape[:3])).unsqueeze(-1)
        x = x.sum(2) + self.gaps(words.gaps) + self.runs(words.runs)
        x = F.dropout(x, 0.1, self.training)
        here = words.mask.unsqueeze(-1)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            x = x + F.gelu(convolution((norm(x) * here).transpose(1, 2))).transpose(1, 2)
        x = self.last_norm(x) * here
        mean = x.sum(1, keepdim=True) / here.sum(1, keepdim=True)
        x = F.gelu(self.hidden(torch.cat([x, mean.expand_as(x)], dim=-1)))
        return self.output(x).masked_fill(~here, _NOTHING)


def caption_logits(logits: Tensor) -> Tensor:
    """[B, T, classes] per word -> [B, classes]: a smooth maximum."""
    return torch.logsumexp(logits, dim=1)
