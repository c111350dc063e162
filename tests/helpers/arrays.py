"""Small arrays of a store, each known by its number."""

from __future__ import annotations

import numpy as np

from auricle.data.keys import text_key
from auricle.data.store import ArrayStore

WIDTH = 8


def array(number: int) -> np.ndarray:
    """1 to 5 frames that only ``number`` has."""
    rng = np.random.default_rng(number)
    return rng.standard_normal((1 + number % 5, WIDTH)).astype(np.float16)


def items(*numbers: int) -> list[tuple[str, np.ndarray]]:
    return [(text_key(str(number)), array(number)) for number in numbers]


def holds(store: ArrayStore, *numbers: int) -> bool:
    return all(np.array_equal(store.get(key), value) for key, value in items(*numbers))
