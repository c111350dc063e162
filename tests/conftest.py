"""Sounds for the tests, made on the spot."""

from __future__ import annotations

import json
import os

# Before torch is imported: on tensors this small a second thread costs more than it gives, and much
# more where something else is running.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


def tone(duration_s: float, rate_hz: int = 16_000, frequency_hz: float = 440.0) -> np.ndarray:
    """A sine of amplitude 0.5, float32 [samples]."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


@pytest.fixture
def golden_metrics() -> Callable[[str], list | dict]:
    """``golden_metrics(name)`` -> what other tools computed, from a .json or .jsonl file."""
    folder = Path(__file__).parents[2] / "shared" / "golden" / "metrics"
    if not folder.is_dir():
        pytest.skip("needs the project's shared data folder")

    def read(name: str) -> list | dict:
        text = (folder / name).read_text(encoding="utf-8")
        lines = text.splitlines() if name.endswith(".jsonl") else None
        return json.loads(text) if lines is None else [json.loads(line) for line in lines]

    return read


@pytest.fixture
def write_tone(tmp_path: Path) -> Callable[..., Path]:
    """``write_tone(name, duration_s, rate_hz, channels)`` -> path of a new file in tmp_path."""

    def write(name: str, duration_s: float = 1.0, rate_hz: int = 16_000, channels: int = 1) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = np.tile(tone(duration_s, rate_hz)[:, None], (1, channels))
        soundfile.write(path, sound, rate_hz)
        return path

    return write
