"""How well stated probabilities are kept: Brier score, calibration error, ranking, the diagram."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auricle.errors import MissingDependencyError
from auricle.metrics.bootstrap import CONFIDENCE, RESAMPLES, Interval

PER_BIN = 8  # clips at least
MOST_BINS = 10
_WILSON = 1.96  # standard deviations of a 95 % interval


@dataclass(frozen=True)
class Bin:
    """Clips of like confidence: its mean, the share that was right, how many clips."""

    confidence: float
    right: float
    clips: int

    def interval(self) -> tuple[float, float]:
        """Within which the true share lies, 95 % (Wilson, 1927)."""
        n, z2 = self.clips, _WILSON**2
        middle = (self.right + z2 / (2 * n)) / (1 + z2 / n)
        half = (
            _WILSON * np.sqrt(self.right * (1 - self.right) / n + z2 / (4 * n * n)) / (1 + z2 / n)
        )
        return max(0.0, float(middle - half)), min(1.0, float(middle + half))


@dataclass(frozen=True)
class Reliability:
    """What probabilities are worth on N clips.

    Attributes:
        right_share: how many were right.
        brier: mean squared error of the probabilities; ``base_brier`` of the base rate in their
            place, and ``gain`` the second less the first, clip by clip.
        calibration_error: expected calibration error over ``bins`` of equal numbers of clips.
        auc: the probability that a right caption is surer than a wrong one; 0.5 says nothing.
    """

    clips: int
    right_share: float
    brier: Interval
    base_brier: Interval
    gain: Interval
    calibration_error: Interval
    auc: Interval
    bins: tuple[Bin, ...]

    @property
    def verdict(self) -> str:
        """In one sentence, whether the confidence says more than the base rate."""
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
    sure: np.ndarray, right: np.ndarray, base: np.ndarray | None = None, seed: int = 0
) -> Reliability:
    """Of probabilities [N] and outcomes [N] (0 or 1), with 95 % bootstrap intervals.

    Args:
        base: [N] what the base rate was for whoever stated the probabilities; the share of
            ``right`` itself by default.
    """
    right = right.astype(np.float64)
    given = np.full(len(right), right.mean()) if base is None else base

    def interval(value: Callable[[np.ndarray], float]) -> Interval:
        return _interval(value, len(right), seed)

    squares, base_squares = (sure - right) ** 2, (given - right) ** 2
    return Reliability(
        clips=len(right),
        right_share=float(right.mean()),
        brier=interval(lambda rows: squares[rows].mean()),
        base_brier=interval(lambda rows: base_squares[rows].mean()),
        gain=interval(lambda rows: (base_squares - squares)[rows].mean()),
        calibration_error=interval(lambda rows: calibration_error(sure[rows], right[rows])),
        auc=interval(lambda rows: auc(sure[rows], right[rows])),
        bins=bins(sure, right),
    )


def bins(sure: np.ndarray, right: np.ndarray) -> tuple[Bin, ...]:
    """Clips in order of confidence, in bins of equal numbers."""
    count = max(1, min(MOST_BINS, len(sure) // PER_BIN))
    parts = np.array_split(np.argsort(sure, kind="stable"), count)
    return tuple(Bin(float(sure[p].mean()), float(right[p].mean()), len(p)) for p in parts)


def calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error (Naeini et al., AAAI 2015) over `bins`.

    Above 0 by chance alone: of a perfect confidence it is about 0.4 / sqrt(clips per bin).
    """
    found = bins(sure, right)
    return sum(b.clips * abs(b.confidence - b.right) for b in found) / len(sure)


def auc(sure: np.ndarray, right: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN where all are right, or none."""
    _, which, counts = np.unique(sure, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]
    positive = right > 0.5
    n, m = positive.sum(), (~positive).sum()
    if not n or not m:
        return float("nan")
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def _interval(value: Callable[[np.ndarray], float], clips: int, seed: int) -> Interval:
    """The percentile bootstrap of a value that need not be a mean over the clips."""
    rng = np.random.default_rng(seed)
    drawn = [value(rng.integers(clips, size=clips)) for _ in range(RESAMPLES)]
    tail = (1 - CONFIDENCE) / 2
    low, high = (
        np.nanquantile(drawn, (tail, 1 - tail)) if np.isfinite(drawn).any() else (np.nan,) * 2
    )
    return Interval(float(value(np.arange(clips))), float(low), float(high))


def draw_diagram(found: Reliability, title: str, path: Path) -> None:
    """The reliability diagram as PNG: stated against observed, with 95 % intervals.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            'plots are drawn by matplotlib, which is not installed: pip install "auricle[data]"'
        ) from error

    figure = Figure(figsize=(4.8, 5.2), dpi=150, layout="constrained")  # no display needed
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    stated = [b.confidence for b in found.bins]
    observed = [b.right for b in found.bins]
    limits = [b.interval() for b in found.bins]
    errors = [
        [o - low for o, (low, _) in zip(observed, limits, strict=True)],
        [high - o for o, (_, high) in zip(observed, limits, strict=True)],
    ]
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--", label="kept exactly")
    axes.axhline(found.right_share, color="0.8", linewidth=1, label="base rate")
    axes.errorbar(stated, observed, errors, fmt="o-", capsize=3, label="observed, 95 % interval")
    for b, (low, high) in zip(found.bins, limits, strict=True):
        place = (b.confidence, high) if high < 0.93 else (b.confidence, low)
        offset, side = (3, "bottom") if high < 0.93 else (-3, "top")
        axes.annotate(
            str(b.clips),
            place,
            (0, offset),
            textcoords="offset points",
            ha="center",
            va=side,
            fontsize=8,
            color="0.4",
        )
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
        title=title,
        xlabel="confidence (numbers: clips)",
        ylabel="share of captions that are right",
    )
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
