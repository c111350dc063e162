"""Levels of waveforms: RMS in dBFS, peaks limited to full scale, ends without sound."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BLOCK_S = 0.1  # whose level is compared
AUDIBLE_DBFS = -40.0  # of the loudest block of a recording with near-silent ends
NEAR_SILENT_DBFS = -70.0  # at most, of every block of such an end
KEPT_S = 0.5  # of an end, for the decay of the sound beside it
END_S = 1.0  # of an end beyond that; a shorter one stays


def level_dbfs(waveform: np.ndarray) -> float:
    """RMS of float [L] in dBFS, without the mean, because an offset is not audible."""
    import numpy as np

    return decibels(float(waveform.std(dtype=np.float64)) if len(waveform) else 0.0)


def decibels(ratio: float) -> float:
    """An amplitude relative to 1 in dB, -180 dB at least."""
    return 20 * math.log10(max(ratio, 1e-9))


def amplitude(dbfs: float) -> float:
    return 10.0 ** (dbfs / 20)


def without_silent_ends(waveform: np.ndarray, rate_hz: int) -> np.ndarray:
    """float [L] without its silent ends; see `heard_part`."""
    return waveform[heard_part(waveform, rate_hz)]


def heard_part(waveform: np.ndarray, rate_hz: int) -> slice:
    """The samples of float [L] but near silence of `KEPT_S` + `END_S` or more at its start and its
    end.

    Models describe silence after a sound, or before it, as another sound: two seconds of speech
    and ten of digital silence as "a man speaks followed by a loud bang". Near silence is below
    `NEAR_SILENT_DBFS`, and thus 30 dB or more under the loudest part. A recording that is faint
    throughout stays as it is: all of it is what there is to hear.
    """
    import numpy as np

    size = round(BLOCK_S * rate_hz)
    whole = waveform[: len(waveform) // size * size].reshape(-1, size)
    rest = waveform[whole.size :]
    levels = [*whole.std(axis=1, dtype=np.float64), rest.std() if len(rest) else 0.0]
    if max(levels) < amplitude(AUDIBLE_DBFS):
        return slice(0, len(waveform))
    heard = np.flatnonzero(np.array(levels) > amplitude(NEAR_SILENT_DBFS)) * size
    kept, least = round(KEPT_S * rate_hz), round(END_S * rate_hz)
    first, last = int(heard[0]) - kept, int(heard[-1]) + size + kept
    return slice(
        first if first >= least else 0, last if len(waveform) - last >= least else len(waveform)
    )


def within_full_scale(waveform: np.ndarray) -> np.ndarray:
    """float [L] as float32, scaled down in place to a peak of 1 if its peak is above 1."""
    import numpy as np

    peak = float(max(waveform.max(initial=0.0), -waveform.min(initial=0.0)))
    if peak > 1:
        np.divide(waveform, peak, out=waveform)
    return waveform.astype(np.float32, copy=False)
