"""Metrics as other tools computed them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.helpers.paths import SHARED


@pytest.fixture
def golden_metrics() -> Callable[[str], list | dict]:
    """``golden_metrics(name)`` -> what other tools computed, from a .json or .jsonl file."""
    folder = SHARED / "golden" / "metrics"
    if not folder.is_dir():
        pytest.skip("needs the project's shared data folder")

    def read(name: str) -> list | dict:
        text = (folder / name).read_text(encoding="utf-8")
        lines = text.splitlines() if name.endswith(".jsonl") else None
        return json.loads(text) if lines is None else [json.loads(line) for line in lines]

    return read
