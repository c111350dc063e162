"""Nearest vectors where there are none."""

from __future__ import annotations

import numpy as np

from auricle.search.nearest import cosines, nearest


def test_an_index_without_sounds_has_vectors_of_no_length():
    vectors, wanted = np.empty((0, 0), np.float16), np.ones(4, np.float32)
    assert nearest(vectors, wanted, 10).tolist() == []
    assert cosines(vectors, wanted).tolist() == []
