"""Confidence intervals and paired differences, by the percentile bootstrap (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
_AT_ONCE = 100  # resamples drawn together; part of what a seed means
_SAME = 1e-12  # differences within rounding


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """The first of two figures less the second, its 95 % interval, and the two-sided p-value of no
    difference."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, eq=False)
class Sums:
    """A figure of N clips that is a function of sums over them, as a mean is, or corpus BLEU.

    Attributes:
        each: float64 [N, S], what is summed.
        of: [..., S] sums -> [...] figures.
    """

    each: np.ndarray
    of: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def mean(cls, scores: Sequence[float] | np.ndarray, weights: np.ndarray | None = None) -> Sums:
        """The mean of ``scores`` [N], weighted by ``weights`` [N]."""
        values = np.asarray(scores, dtype=np.float64)
        shares = np.ones_like(values) if weights is None else np.asarray(weights, np.float64)
        return cls(np.stack([shares * values, shares], axis=1), _ratio)

    @property
    def value(self) -> float:
        """The figure of all clips, each once."""
        return float(self.of(self.each.sum(axis=0)))


def bootstrap(
    scores: Sequence[float] | np.ndarray,
    weights: Sequence[float] | np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """The mean of N clips' scores, and the interval that clips drawn again would leave it in.

    The interval speaks of the clips alone: not of other seeds of training, and for CIDEr-D the
    scores of clips are those under the document frequencies of the whole set, which are not
    computed again for each resample.

    Args:
        scores: [N] one score for each clip.
        weights: [N] how much each clip counts, such as its number of tokens or captions.

    Raises:
        ValueError: no scores.
    """
    shares = None if weights is None else np.asarray(weights, dtype=np.float64)
    return intervals([Sums.mean(scores, shares)], seed)[0]


def intervals(figures: Sequence[Sums], seed: int = 0) -> list[Interval]:
    """Each figure with its interval; all from the same draws of the clips they share.

    Raises:
        ValueError: no clips, or figures of different numbers of clips.
    """
    drawn = resample(figures, seed)
    return [Interval(f.value, *_middle(d)) for f, d in zip(figures, drawn, strict=True)]


def difference(first: Sums, second: Sums, seed: int = 0) -> Difference:
    """The paired bootstrap: clips are drawn for both figures at once.

    The p-value is the share of resamples whose difference is as far from the one observed as that
    is from 0 (the shift method: Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
    section 16.4), the observed one counted among them.

    Raises:
        ValueError: no clips, or figures of different numbers of clips.
    """
    drawn = resample([first, second], seed)
    found, gaps = first.value - second.value, drawn[0] - drawn[1]
    as_far = np.abs(gaps - found) >= abs(found) - _SAME
    return Difference(found, *_middle(gaps), float(1 + as_far.sum()) / (1 + len(gaps)))


def resample(figures: Sequence[Sums], seed: int = 0) -> np.ndarray:
    """[figures, `RESAMPLES`]: the figures of N clips drawn again with replacement.

    Raises:
        ValueError: no clips, or figures of different numbers of clips.
    """
    sizes = sorted({len(figure.each) for figure in figures})
    if len(sizes) != 1:
        raise ValueError(f"figures of {sizes} clips: clips are drawn for all figures at once")
    if not sizes[0]:
        raise ValueError("no scores: an interval needs at least one clip")
    each = np.concatenate([figure.each for figure in figures], axis=1)
    sums = np.concatenate([counts @ each for counts in _draws(len(each), seed)])
    ends = np.cumsum([figure.each.shape[1] for figure in figures])[:-1]
    columns = np.split(sums, ends, axis=1)
    return np.stack([f.of(own) for f, own in zip(figures, columns, strict=True)])


def _draws(clips: int, seed: int) -> Iterator[np.ndarray]:
    """float64 [`_AT_ONCE`, clips]: how often each clip is drawn in each resample."""
    rng = np.random.default_rng(seed)
    row = np.arange(_AT_ONCE)[:, None] * clips
    for _ in range(0, RESAMPLES, _AT_ONCE):
        drawn = rng.integers(clips, size=(_AT_ONCE, clips))
        counts = np.bincount((drawn + row).ravel(), minlength=_AT_ONCE * clips)
        yield counts.reshape(_AT_ONCE, clips).astype(np.float64)


def _middle(values: np.ndarray) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)


def _ratio(sums: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = sums[..., 0] / sums[..., 1]
    return ratio
