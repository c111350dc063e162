"""Folds of cross-validation; clips of one recording are in one fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auricle.errors import DataError


def folds(groups: Sequence[str], count: int, seed: int = 0) -> np.ndarray:
    """[N] the fold of each clip, from 0; ``seed`` assigns recordings to folds at random.

    Raises:
        DataError: there are fewer recordings than folds, or fewer than two folds.
    """
    names, which = np.unique(np.asarray(groups), return_inverse=True)
    if count < 2 or len(names) < count:
        raise DataError(
            f"{count} folds of cross-validation need a usable recording each, and there must be "
            f"two or more; there are {len(names)} recordings: give more, or another --folds"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    fold: np.ndarray = (order % count)[which]
    return fold
