"""Reciprocal rank fusion and nearest vectors, against the slow, obvious ways."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.search.fusion import Order, fused, ranks
from auricle.search.nearest import nearest


def test_equal_scores_share_their_mean_rank():
    scores = np.array([0.5, 0.9, 0.5, -np.inf, 0.1])
    assert ranks(scores).tolist() == [2.5, 1.0, 2.5, np.inf, 4.0]


def test_fusion_is_the_weighted_sum_of_reciprocal_ranks():
    first, second = np.array([3.0, 2.0, 1.0]), np.array([-np.inf, 1.0, 2.0])
    found = fused(10.0, [Order(2.0, first), Order(1.0, second, np.array([1.0, 0.5, 1.0]))])
    slow = [2 / 11, 2 / 12 + 0.5 / 12, 2 / 13 + 1 / 11]
    assert found == pytest.approx(np.array(slow) * 11 / 3)
    assert fused(10.0, [Order(1.0, first)])[0] == 1.0


@pytest.mark.parametrize("spread", [1.0, 1e-3])  # of vectors that float16 hardly tells apart, too
def test_the_nearest_are_exact(spread):
    rng = np.random.default_rng(0)
    vectors = 1.0 + spread * rng.standard_normal((3000, 48))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    wanted = rng.standard_normal(48).astype(np.float32)
    wanted /= np.linalg.norm(wanted)
    allowed = rng.random(3000) < 0.5
    exact = vectors.astype(np.float32) @ wanted
    for mask in (None, allowed):
        masked = exact if mask is None else np.where(mask, exact, -np.inf)
        order = np.argsort(-masked, kind="stable")[:40]
        assert nearest(vectors, wanted, 40, mask).tolist() == sorted(order.tolist())
    assert nearest(vectors[:7], wanted, 40).tolist() == list(range(7))
