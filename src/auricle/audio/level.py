"""Levels of waveforms: RMS in dBFS, and peaks limited to full scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def level_dbfs(waveform: np.ndarray) -> float:
    """RMS of float [L] in dBFS, without the mean, because an offset is not audible."""
    import numpy as np

    deviation = float(waveform.std(dtype=np.float64)) if len(waveform) else 0.0
    return 20 * float(np.log10(max(deviation, 1e-9)))


def within_full_scale(waveform: np.ndarray) -> np.ndarray:
    """A float32 copy of float [L], scaled down to a peak of 1 if its peak is above 1."""
    import numpy as np

    peak = float(np.abs(waveform).max(initial=0.0))
    return (waveform / max(1.0, peak)).astype(np.float32, copy=False)
