"""Levels of a sound in bands of frequency, every 20 ms: what boundaries are found in."""

from __future__ import annotations

import numpy as np
import torch

STEP_S = 0.02
WINDOW_S = 0.04
BANDS = 20
RANGE_HZ = (60.0, 7600.0)
BREAK_HZ = 300.0  # bands are linear in frequency below, and logarithmic above, as in the ear
SMOOTHED = 3  # frames
EMPTY = 1e-12  # -120 dBFS, below every recording


class BandPower:
    """Power per band of consecutive pieces of a sound, equal to that of the whole.

    Frame i hears the samples from ``i * STEP_S`` to ``i * STEP_S + WINDOW_S``. The powers of a
    frame add up to the mean square of its samples.
    """

    def __init__(self, rate_hz: int) -> None:
        self._step, self._window = round(STEP_S * rate_hz), round(WINDOW_S * rate_hz)
        self._taper = torch.hann_window(self._window)
        self._rest = np.zeros(0, np.float32)
        low, high = np.log(np.array(RANGE_HZ) + BREAK_HZ)
        edges_hz = np.exp(np.linspace(low, high, BANDS + 1)) - BREAK_HZ
        hz = np.fft.rfftfreq(self._window, 1 / rate_hz)
        band = np.digitize(hz, edges_hz) - 1
        matrix = np.zeros((len(hz), BANDS), np.float32)
        inside = (band >= 0) & (band < BANDS)
        matrix[inside, band[inside]] = 2 / float((self._taper**2).sum()) / self._window
        self._matrix = torch.from_numpy(matrix)

    def add(self, piece: np.ndarray) -> np.ndarray:
        """float32 [n] -> [m, `BANDS`] float32, of the frames that end in the piece."""
        samples = np.concatenate([self._rest, piece])
        count = max(0, (len(samples) - self._window) // self._step + 1)
        self._rest = samples[count * self._step :]
        if not count:
            return np.zeros((0, BANDS), np.float32)
        frames = torch.from_numpy(samples).unfold(0, self._window, self._step)
        parts = [
            torch.fft.rfft(some * self._taper).abs().square() @ self._matrix
            for some in frames.split(4096)
        ]
        return torch.cat(parts).numpy()

    def end(self) -> np.ndarray:
        """The frames of the last samples, with silence after them."""
        missing = -len(self._rest) % self._step + self._window - self._step
        return self.add(np.zeros(missing, np.float32)) if len(self._rest) else self.add(self._rest)


def decibels(power: np.ndarray) -> np.ndarray:
    """Powers in dBFS."""
    return 10 * np.log10(power + EMPTY)
