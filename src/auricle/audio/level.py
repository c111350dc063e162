"""Levels of waveforms: RMS in dBFS, and peaks limited to full scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def level_dbfs(waveform: np.ndarray) -> float:
    """RMS of float [L] in dBFS, without the mean, because an offset is not audible."""
    import numpy as np

    return decibels(float(waveform.std(dtype=np.float64)) if len(waveform) else 0.0)


def decibels(amplitude: float) -> float:
    """``amplitude`` relative to 1 in dB, -180 dB at least."""
    return 20 * math.log10(max(amplitude, 1e-9))


def within_full_scale(waveform: np.ndarray) -> np.ndarray:
    """float [L] as float32, scaled down in place to a peak of 1 if its peak is above 1."""
    import numpy as np

    peak = float(max(waveform.max(initial=0.0), -waveform.min(initial=0.0)))
    if peak > 1:
        np.divide(waveform, peak, out=waveform)
    return waveform.astype(np.float32, copy=False)
