"""A deterministic search over weights of 0 or more with sum 1."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np

DIVISIONS = 10  # grid steps of 0.1
STEPS = (0.05, 0.02, 0.01)  # of the refinement


def simplex_grid(size: int, divisions: int = DIVISIONS) -> np.ndarray:
    """[S, size] all ways to divide 1 among ``size`` weights in steps of 1/``divisions``."""
    bars = combinations(range(divisions + size - 1), size - 1)
    rows = [np.diff([-1, *places, divisions + size - 1]) - 1 for places in bars]
    return np.array(rows) / divisions


def search_simplex(
    value: Callable[[np.ndarray], np.ndarray], start: np.ndarray, grid: np.ndarray | None = None
) -> np.ndarray:
    """The weights [T] with the highest value: the best of a grid, refined by moving weight between
    two.

    ``value`` maps settings [S, T] to [S]. Of equals, the nearest to ``start`` wins: with few clips,
    wide plateaus have equal values.
    """
    tried = np.concatenate([start[None], simplex_grid(len(start)) if grid is None else grid])
    best, most = _best(tried, value(tried), start)
    for step in STEPS:
        while True:
            moves = [_moved(best, i, j, step) for i, j in permutations(range(len(start)), 2)]
            if not moves:
                break
            tried = np.array(moves)
            moved, reached = _best(tried, value(tried), start)
            if reached <= most + 1e-12:
                break
            best, most = moved, reached
    return best


def _best(tried: np.ndarray, values: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, float]:
    most = values.max()
    equal = tried[values >= most - 1e-12]
    return equal[np.abs(equal - start).sum(axis=1).argmin()], float(most)


def _moved(weights: np.ndarray, to: int, source: int, step: float) -> np.ndarray:
    moved = weights.copy()
    taken = min(step, moved[source])
    moved[source] -= taken
    moved[to] += taken
    return moved
