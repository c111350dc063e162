"""Reliability of stated probabilities: Brier score, calibration error, ranking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from auricle.metrics.bootstrap import CONFIDENCE, RESAMPLES, Interval, wilson

PER_BIN = 8  # minimum of clips
MOST_BINS = 10


@dataclass(frozen=True)
class Bin:
    """Clips of similar confidence: mean confidence, share of right captions, number of clips."""

    confidence: float
    right: float
    clips: int

    def interval(self) -> tuple[float, float]:
        """Within which the true share lies, 95 %."""
        return wilson(self.right, self.clips)


@dataclass(frozen=True)
class Reliability:
    """The reliability of probabilities on N clips.

    Attributes:
        right_share: the share of right captions.
        brier: mean squared error of the probabilities; ``base_brier`` is that of the base rate,
            and ``gain`` the second minus the first, paired by clip.
        calibration_error: expected calibration error over ``bins`` of equal numbers of clips.
        by_chance: the calibration error of true probabilities, mean and 95 % interval; with few
            clips per bin, chance alone causes it.
        auc: the probability that a right caption has more confidence than a wrong one; 0.5 is
            chance.
    """

    clips: int
    right_share: float
    brier: Interval
    base_brier: Interval
    gain: Interval
    calibration_error: float
    by_chance: Interval
    auc: Interval
    bins: tuple[Bin, ...]

    @property
    def verdict(self) -> str:
        """One sentence: whether confidence is better than the base rate."""
        value, low, high = self.gain
        gain = f"{value:+.3f} (95 % interval {low:+.3f} to {high:+.3f})"
        if low > 0:
            return f"confidence says more than the base rate: Brier score better by {gain}"
        if high < 0:
            return f"confidence is WORSE than the base rate: Brier score better by {gain}"
        return (
            f"confidence is no better than the base rate that {self.clips} clips can show: "
            f"Brier score better by {gain}"
        )


def reliability(
    sure: np.ndarray,
    right: np.ndarray,
    groups: Sequence[str],
    base: np.ndarray | None = None,
    seed: int = 0,
) -> Reliability:
    """The reliability of probabilities [N] for outcomes [N] (0 or 1), with 95 % bootstrap
    intervals.

    Args:
        groups: equal for clips of one recording, which are drawn together.
        base: [N] the base rate of the training clips of each fold; by default the share of
            ``right``.
    """
    right = right.astype(np.float64)
    given = np.full(len(right), right.mean()) if base is None else base
    squares, base_squares = (sure - right) ** 2, (given - right) ** 2
    draws = list(_resamples(groups, seed))

    def interval(value: Callable[[np.ndarray], float]) -> Interval:
        return _interval(value(np.arange(len(right))), [value(rows) for rows in draws])

    return Reliability(
        clips=len(right),
        right_share=float(right.mean()),
        brier=interval(lambda rows: squares[rows].mean()),
        base_brier=interval(lambda rows: base_squares[rows].mean()),
        gain=interval(lambda rows: (base_squares - squares)[rows].mean()),
        calibration_error=calibration_error(sure, right),
        by_chance=_by_chance(sure, seed),
        auc=interval(lambda rows: auc(sure[rows], right[rows])),
        bins=bins(sure, right),
    )


def bins(sure: np.ndarray, right: np.ndarray) -> tuple[Bin, ...]:
    """Clips ordered by confidence, in bins of equal size."""
    count = max(1, min(MOST_BINS, len(sure) // PER_BIN))
    parts = np.array_split(np.argsort(sure, kind="stable"), count)
    return tuple(Bin(float(sure[p].mean()), float(right[p].mean()), len(p)) for p in parts)


def calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error (Naeini et al., AAAI 2015) over `bins`."""
    found = bins(sure, right)
    return sum(b.clips * abs(b.confidence - b.right) for b in found) / len(sure)


def auc(sure: np.ndarray, right: np.ndarray) -> float:
    """Area under the ROC curve, ties count half; NaN if all captions are right, or none."""
    _, which, counts = np.unique(sure, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]
    positive = right > 0.5
    n, m = positive.sum(), (~positive).sum()
    if not n or not m:
        return float("nan")
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def _resamples(groups: Sequence[str], seed: int) -> Iterator[np.ndarray]:
    """Indices of clips from whole groups, drawn with replacement."""
    which = np.unique(np.asarray(groups), return_inverse=True)[1]
    members = [np.flatnonzero(which == group) for group in range(which.max() + 1)]
    rng = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        yield np.concatenate([members[g] for g in rng.integers(len(members), size=len(members))])


def _by_chance(sure: np.ndarray, seed: int) -> Interval:
    rng = np.random.default_rng(seed)
    drawn = [calibration_error(sure, rng.random(len(sure)) < sure) for _ in range(RESAMPLES)]
    return _interval(float(np.mean(drawn)), drawn)


def _interval(value: float, drawn: Sequence[float]) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    known = np.asarray(drawn)[np.isfinite(drawn)]
    low, high = np.quantile(known, (tail, 1 - tail)) if len(known) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))
