"""A store of small arrays."""

from __future__ import annotations

from pathlib import Path

import pytest

from auricle.data.store import ArrayStore
from tests.helpers.arrays import WIDTH


@pytest.fixture
def store(tmp_path: Path) -> ArrayStore:
    return ArrayStore(tmp_path, {"layer": 10}, WIDTH)
