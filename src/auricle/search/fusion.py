"""Fusion: one order of sounds from several, by weighted reciprocal rank (Cormack, Clarke and
Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Fusion:
    """Weights of the orders of sounds. A sound has weight / (k + rank) from each, rank 1 the best.

    Attributes:
        k: how little the first ranks stand out.
        embedding: of the cosine between a sound and the query's text.
        like: of the cosine between a sound and a given one.
        text: of the share of the query's words that caption, classes and file name have; times
            that share to the power of ``words``, as one word of many tells little.
        classes: of the cosine between the query's text and the names of the classes heard.
        unwanted: how much of an unwanted text's vector is taken from the query's.
    """

    k: float = 60.0
    embedding: float = 1.0
    like: float = 1.0
    text: float = 0.5
    words: float = 2.0
    classes: float = 0.25
    unwanted: float = 0.5


FUSION = Fusion()


class Order(NamedTuple):
    """An order of N sounds, by ``scores`` [N], -inf for a sound that is not in it; ``share``: how
    much it counts, a number or [N], from 0 to 1."""

    weight: float
    scores: np.ndarray
    share: np.ndarray | float = 1.0


def ranks(scores: np.ndarray) -> np.ndarray:
    """float64 [N]: the rank of each score, from 1, the greatest; equal ones share their mean rank.
    A score of -inf has none: inf."""
    found = np.full(len(scores), np.inf)
    known = scores > -np.inf
    _, which, counts = np.unique(-scores[known], return_inverse=True, return_counts=True)
    found[known] = (counts.cumsum() - (counts - 1) / 2)[which]
    return found


def fused(k: float, orders: Sequence[Order]) -> np.ndarray:
    """float64 [N], from 0 to 1, which is a sound that is the first of every order, wholly."""
    points = sum(one.weight * one.share * (k + 1) / (k + ranks(one.scores)) for one in orders)
    return np.asarray(points / sum(one.weight for one in orders))
