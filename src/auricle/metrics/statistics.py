"""Statistics of captions without references: words, variety, length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from auricle.metrics.bootstrap import Sums
from auricle.metrics.ngrams import Tokens
from auricle.metrics.scores import Score
from auricle.text.normalise import as_judged

if TYPE_CHECKING:
    from torch import Tensor


def vocabulary(captions: Sequence[Tokens]) -> Score:
    """The number of different words, in all captions and in each."""
    each = tuple(float(len(set(tokens))) for tokens in captions)
    return Score("Vocabulary (words)", float(len(set().union(*captions))), each)


def distinct(captions: Sequence[Tokens], n: int) -> Score:
    """The share of distinct n-grams over all captions (Li et al., "A diversity-promoting objective
    function for neural conversation models", NAACL 2016)."""
    grams = Counter(
        tokens[i : i + n] for tokens in map(tuple, captions) for i in range(len(tokens) - n + 1)
    )
    return Score(f"Distinct-{n}", len(grams) / grams.total() if grams else 0.0)


def lengths(captions: Sequence[Tokens]) -> Score:
    """The mean number of words per caption."""
    each = tuple(float(len(tokens)) for tokens in captions)
    return Score("Length (words)", float(np.mean(each)), each)


def length_spread(captions: Sequence[Tokens]) -> tuple[Score, Sums]:
    """The standard deviation of words per caption, and the sums behind its interval."""
    words = np.array([len(tokens) for tokens in captions], dtype=np.float64)
    sums = Sums(np.stack([words, words**2, np.ones_like(words)], axis=1), _deviation)
    return Score("Length, deviation", sums.value), sums


def novel(captions: Sequence[str], training: Iterable[str]) -> Score:
    """The share of captions that equal no training caption, without case and punctuation."""
    known = {as_judged(text) for text in training}
    each = tuple(float(as_judged(text) not in known) for text in captions)
    return Score("Novel captions", float(np.mean(each)), each)


def self_similarity(vectors: Tensor) -> Score:
    """The mean cosine between captions of different clips: 1 if all clips have the same caption.

    Args:
        vectors: [N, E] unit vectors of the captions, zeros for empty ones; a single caption
            scores 0.
    """
    clips, rows = len(vectors), vectors.double()
    total, pairs = rows.sum(dim=0), clips * (clips - 1)
    cosines = float(total @ total - rows.square().sum())
    return Score("Self-similarity", cosines / pairs if pairs else 0.0)


def _deviation(sums: np.ndarray) -> np.ndarray:
    mean, square = sums[..., 0] / sums[..., 2], sums[..., 1] / sums[..., 2]
    return np.sqrt(np.maximum(0.0, square - mean**2))
