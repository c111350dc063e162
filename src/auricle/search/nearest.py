"""Nearest vectors: exact search in a float16 matrix that may be mapped into the memory.

All products are torch's: numpy's BLAS has threads of its own, which spin, and take the processors
from torch's.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch

ROUGH = 2e-3  # that cosines in float16 differ at most: 3e-4 was seen of 384 numbers


def nearest(
    vectors: np.ndarray, wanted: np.ndarray, count: int, allowed: np.ndarray | None = None
) -> np.ndarray:
    """Rows of the ``count`` greatest cosines, int64, ascending; of equal ones the first.

    Float16 is multiplied first, four times as fast as float32; what may be among the nearest is
    then compared exactly.

    Args:
        vectors: [N, E] float16, of length 1.
        wanted: [E] float32, of length 1.
        allowed: bool [N]; None allows every row.
    """
    if not len(vectors):
        return np.empty(0, np.int64)
    rough = torch.mv(_tensor(vectors), torch.from_numpy(wanted).half()).float().numpy()
    rows = np.arange(len(rough)) if allowed is None else np.flatnonzero(allowed)
    if len(rows) <= count:
        return rows
    rough = rough[rows]
    least = np.partition(rough, len(rows) - count)[len(rows) - count]
    near = rows[rough >= least - 2 * ROUGH]
    exact = cosines(vectors[near], wanted)
    return np.sort(near[np.argsort(-exact, kind="stable")[:count]])


def cosines(vectors: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """[N, E] float16 and [E] float32, all of length 1 -> float32 [N]."""
    if not len(vectors):  # of an index without any, E is 0
        return np.empty(0, np.float32)
    return product(np.asarray(vectors, np.float32), wanted)


def product(matrix: np.ndarray, other: np.ndarray) -> np.ndarray:
    """[N, K] and [K] or [K, M], float32 -> [N] or [N, M]."""
    return torch.matmul(torch.from_numpy(matrix), torch.from_numpy(other)).numpy()


def _tensor(vectors: np.ndarray) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the file cannot be written: it is only read
        return torch.from_numpy(vectors)
