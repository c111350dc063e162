"""Sounds for tests, made on the spot."""

import numpy as np


def tone(duration_s: float, rate_hz: int = 16_000, frequency_hz: float = 440.0) -> np.ndarray:
    """A sine of amplitude 0.5, float32 [samples]."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)
