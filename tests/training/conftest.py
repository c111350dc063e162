"""Fixtures of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.toy_recipe import write_toy_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe for the debug model on 12 training and 4 validation clips."""
    return write_toy_recipe(tmp_path)
