"""Levels of waveforms: RMS relative to full scale, and peaks within it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def level_dbfs(waveform: np.ndarray) -> float:
    """RMS of float [L] in dB below full scale, without the mean: an offset is not heard."""
    import numpy as np

    deviation = float(waveform.std(dtype=np.float64)) if len(waveform) else 0.0
    return 20 * float(np.log10(max(deviation, 1e-9)))


def within_full_scale(waveform: np.ndarray) -> np.ndarray:
    """A copy of float [L] as float32; a peak beyond 1 scales all of it down to 1."""
    import numpy as np

    peak = float(np.abs(waveform).max(initial=0.0))
    return (waveform / max(1.0, peak)).astype(np.float32, copy=False)
