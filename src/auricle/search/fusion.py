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

    They are chosen by benchmarks/search/quality.py: 565 sounds that the bundled model was not
    trained on, under numbers in place of names. Queries by class, by other words for it, and by
    human captions of 43 of the clips:

                     class (43)            other words (100)     captions (215)
                     R@1   R@10  mAP@10    R@1   R@10  mAP@10    R@1   R@10  mAP@10
    fused            0.512 0.860 0.375     0.420 0.770 0.294     0.395 0.823 0.530
    cross-fitted     0.442 0.860 0.363     0.370 0.790 0.288     0.377 0.823 0.515
    embedding alone  0.442 0.744 0.321     0.320 0.720 0.250     0.284 0.795 0.434
    words (BM25)     0.395 0.744 0.294     0.170 0.400 0.129     0.223 0.581 0.327

    Cross-fitted: the best weights of a grid for one half of the classes and clips, measured on the
    other half. Many weights of the grid are about as good. Where file names tell the class, words
    alone find classes better (R@1 0.651, fused 0.581).

    Attributes:
        k: how little the first ranks stand out.
        embedding: of the cosine between a sound and the query's text.
        like: of the cosine between a sound and a given one.
        text: of the share of the query's words that caption, classes and file name have; times
            that share to the power of ``words``, as one word of many tells little. (The order by
            BM25 in its place is no better, and ten times slower where many sounds match.)
        classes: of the cosine between the query's text and the names of the classes heard.
        unwanted: how much of an unwanted text's vector is taken from the query's. On 120 mixes of
            two sounds among 1,569, "A without B" for both: mAP@10 0.472 with 0, 0.495 with 0.5,
            0.467 with 1; mixes among the first 20: 21 %, 18 %, 15 %.
    """

    k: float = 10.0
    embedding: float = 1.0
    like: float = 1.0
    text: float = 1.0
    words: float = 1.0
    classes: float = 0.5
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
