"""How far a mean over few clips can be trusted: the percentile bootstrap (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
_AT_ONCE = 100  # resamples drawn together; part of what a seed means


class Interval(NamedTuple):
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float


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
    values = np.asarray(scores, dtype=np.float64)
    if not len(values):
        raise ValueError("no scores: an interval needs at least one clip")
    shares = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for start in range(0, RESAMPLES, _AT_ONCE):
        drawn = rng.integers(len(values), size=(_AT_ONCE, len(values)))
        total = shares[drawn].sum(axis=1)
        means[start : start + _AT_ONCE] = (shares * values)[drawn].sum(axis=1) / total
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Interval(float((shares * values).sum() / shares.sum()), float(low), float(high))
