"""Confidence intervals: of rates by Wilson (1927), of other figures and of paired differences by
the percentile bootstrap (Efron, 1979)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
ROUGH_BELOW = 40  # clips: of fewer, intervals of skewed means cover less than they state
_AT_ONCE = 100  # resamples drawn together; part of what a seed means
_SAME = 1e-12  # differences within rounding
_DEVIATIONS = 1.959964  # of the normal distribution, within which 95 % lie


class Interval(NamedTuple):
    """A statistic and its 95 % interval."""

    value: float
    low: float
    high: float


class Difference(NamedTuple):
    """The first statistic minus the second, its 95 % interval, and the two-sided p-value of no
    difference, which is below 0.05 exactly where the interval leaves out 0."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, eq=False)
class Sums:
    """A statistic of N clips that is a function of sums over them, such as a mean or corpus BLEU.

    Attributes:
        each: float64 [N, S], what is summed.
        of: [..., S] sums -> [...] figures.
        rate: a share of cases that are so or not, [N, 2] (those that are, all): its interval is
            Wilson's, because of rare cases drawn again there is often none.
    """

    each: np.ndarray
    of: Callable[[np.ndarray], np.ndarray]
    rate: bool = False

    @classmethod
    def mean(cls, scores: Sequence[float] | np.ndarray, weights: np.ndarray | None = None) -> Sums:
        """The mean of ``scores`` [N], weighted by ``weights`` [N]."""
        values = np.asarray(scores, dtype=np.float64)
        shares = np.ones_like(values) if weights is None else np.asarray(weights, np.float64)
        return cls(np.stack([shares * values, shares], axis=1), _ratio)

    @classmethod
    def share(cls, hits: Sequence[float] | np.ndarray, cases: np.ndarray | None = None) -> Sums:
        """The rate of ``hits`` [N]: 0 or 1, or the share of hits among a clip's ``cases`` [N]."""
        return replace(cls.mean(hits, cases), rate=True)

    @property
    def value(self) -> float:
        """The statistic of all clips, each once."""
        return float(self.of(self.each.sum(axis=0)))


def bootstrap(
    scores: Sequence[float] | np.ndarray,
    weights: Sequence[float] | np.ndarray | None = None,
    seed: int = 0,
) -> Interval:
    """The mean of N clips' scores, with its interval over resampled clips.

    The interval covers the choice of clips only, not other seeds of training. For CIDEr-D, clips
    keep their scores under the document frequencies of the whole set, also in resamples.

    Args:
        scores: [N] one score per clip.
        weights: [N] the weight of each clip, such as its number of tokens or captions.

    Raises:
        ValueError: there are no scores.
    """
    shares = None if weights is None else np.asarray(weights, dtype=np.float64)
    return intervals([Sums.mean(scores, shares)], seed)[0]


def intervals(figures: Sequence[Sums], seed: int = 0) -> list[Interval]:
    """Each figure with its interval: Wilson's of rates, the others from the same draws of clips.

    Raises:
        ValueError: there are no clips, or the statistics' numbers of clips differ.
    """
    _clips(figures)
    others = [figure for figure in figures if not figure.rate]
    drawn = iter(resample(others, seed) if others else ())
    return [Interval(f.value, *(_of_rate(f) if f.rate else _middle(next(drawn)))) for f in figures]


def wilson(share: float, cases: float) -> tuple[float, float]:
    """The interval within which the true share lies, 95 % (Wilson, "Probable inference, the law of
    succession, and statistical inference", JASA 1927).

    Args:
        share: of ``cases`` independent ones, in [0, 1].
    """
    z2 = _DEVIATIONS**2
    middle = (share + z2 / (2 * cases)) / (1 + z2 / cases)
    spread = share * (1 - share) / cases + z2 / (4 * cases * cases)
    half = _DEVIATIONS * spread**0.5 / (1 + z2 / cases)
    low = 0.0 if share <= 0 else max(0.0, middle - half)
    return low, 1.0 if share >= 1 else min(1.0, middle + half)


def proportion(
    hits: Sequence[float] | np.ndarray, cases: Sequence[float] | np.ndarray | None = None
) -> Interval:
    """The rate of ``hits`` [N] with its interval; arguments as of `Sums.share`.

    Raises:
        ValueError: no clips.
    """
    return intervals([Sums.share(hits, None if cases is None else np.asarray(cases, np.float64))])[
        0
    ]


def rough(clips: int) -> list[str]:
    """A note for the reader of intervals of few clips."""
    if clips >= ROUGH_BELOW:
        return []
    return [f"only {clips} clip{'s' * (clips != 1)}: below {ROUGH_BELOW}, intervals are rough"]


def difference(first: Sums, second: Sums, seed: int = 0) -> Difference:
    """The paired bootstrap, with the same draws of clips for both statistics.

    The interval and the p-value are of one procedure (Davison and Hinkley, Bootstrap Methods and
    their Application, 1997, section 5.2): of R differences in order the interval is from the k-th
    to the k-th last, k about (R + 1) / 40, and p is the level at which such an interval begins to
    hold 0: 2 (1 + the number of differences on the rarer side of 0, those of 0 included) / (R + 1),
    at most 1.

    Raises:
        ValueError: there are no clips, or the statistics' numbers of clips differ.
    """
    drawn = resample([first, second], seed)
    gaps = drawn[0] - drawn[1]
    gaps = np.sort(np.where(np.abs(gaps) <= _SAME, 0.0, gaps)[np.isfinite(gaps)])
    found = gap if abs(gap := first.value - second.value) > _SAME else 0.0
    if not len(gaps):  # no resample has both figures
        return Difference(found, found, found, 1.0)
    rarer = min((gaps <= 0).sum(), (gaps >= 0).sum())
    share = (1 + len(gaps)) * (1 - CONFIDENCE) / 2
    place = max(0, math.ceil(share) - 2)  # the last at which `rarer` gives p < 1 - CONFIDENCE
    p = min(1.0, 2 * (1 + int(rarer)) / (1 + len(gaps)))
    return Difference(found, float(gaps[place]), float(gaps[-1 - place]), p)


def resample(figures: Sequence[Sums], seed: int = 0) -> np.ndarray:
    """[statistics, `RESAMPLES`]: the statistics of N clips drawn with replacement.

    Raises:
        ValueError: there are no clips, or the statistics' numbers of clips differ.
    """
    clips = _clips(figures)
    each = np.concatenate([figure.each for figure in figures], axis=1)
    sums = np.concatenate([counts @ each for counts in _draws(clips, seed)])
    ends = np.cumsum([figure.each.shape[1] for figure in figures])[:-1]
    columns = np.split(sums, ends, axis=1)
    return np.stack([f.of(own) for f, own in zip(figures, columns, strict=True)])


def _clips(figures: Sequence[Sums]) -> int:
    """The number of clips that all figures share."""
    sizes = sorted({len(figure.each) for figure in figures})
    if len(sizes) != 1:
        raise ValueError(f"figures of {sizes} clips: clips are drawn for all figures at once")
    if not sizes[0]:
        raise ValueError("no scores: an interval needs at least one clip")
    return sizes[0]


def _of_rate(figure: Sums) -> tuple[float, float]:
    """Wilson's interval. Cases of one clip are alike: as many independent ones count as would
    spread like the clips do, at least one for each clip (Korn and Graubard, "Confidence intervals
    for proportions with small expected number of positive counts estimated from survey data",
    Survey Methodology 1998)."""
    hits, cases = figure.each.T
    rate, total = figure.value, float(cases.sum())
    spread = float(((hits - rate * cases) ** 2).sum()) / total**2
    alike = rate * (1 - rate) / spread if spread > 0 else 0.0
    return wilson(rate, min(max(alike, len(cases)), total))


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
    low, high = np.nanquantile(values, (tail, 1 - tail))
    return float(low), float(high)


def _ratio(sums: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # nothing was drawn that counts
        ratio: np.ndarray = sums[..., 0] / sums[..., 1]
    return ratio
