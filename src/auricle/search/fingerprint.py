"""Fingerprints: what a recording keeps when it is re-encoded, made louder, resampled or trimmed.

After Haitsma and Kalker, "A highly robust audio fingerprinting system" (ISMIR 2002): a word of 32
bits for each moment. Bit b tells whether the difference in energy between the bands b and b + 1 has
grown since a moment before, which neither a level nor a smooth change of the spectrum alters. Two
recordings of one sound agree in most bits, two of different sounds in half of them.
"""

from __future__ import annotations

import numpy as np
import torch

WINDOW_S, HOP_S = 0.128, 0.016
LAG = 6  # words back, for "a moment before": 0.1 s
BANDS = 33
RANGE_HZ = (200.0, 6400.0)  # of the bands, equally wide in octaves
FAINT_DB = 40.0  # below the loudest moment: what re-encoding may not keep has the word 0
TOGETHER = 256  # moments that are transformed at once


class Fingerprint:
    """Of a recording at ``rate_hz``, which is given piece by piece."""

    def __init__(self, rate_hz: int) -> None:
        self._window, self._hop = round(WINDOW_S * rate_hz), round(HOP_S * rate_hz)
        self._shape = np.hanning(self._window).astype(np.float32)
        edges_hz = np.geomspace(*RANGE_HZ, BANDS + 1)
        self._edges = np.round(edges_hz * self._window / rate_hz).astype(int)
        # Silence before the start and after the end: so short sounds have words, too.
        self._waiting = np.zeros(self._window - self._hop, np.float32)
        self._before = np.zeros((0, BANDS - 1), np.float32)  # differences between bands
        self._words: list[np.ndarray] = []
        self._levels: list[np.ndarray] = []

    def add(self, waveform: np.ndarray) -> None:
        """The next piece, float32 [L]."""
        self._waiting = np.concatenate([self._waiting, waveform])
        while (count := (len(self._waiting) - self._window) // self._hop + 1) > 0:
            count = min(count, TOGETHER)
            frames = np.lib.stride_tricks.sliding_window_view(self._waiting, self._window)
            self._add(frames[: count * self._hop : self._hop])
            self._waiting = self._waiting[count * self._hop :]

    def words(self) -> np.ndarray:
        """After the last piece: uint32 [N], one per `HOP_S`; 0 where the recording is faint."""
        self.add(np.zeros(self._window, np.float32))
        words, levels = np.concatenate(self._words), np.concatenate(self._levels)
        faint = levels <= levels.max() * 10 ** (-FAINT_DB / 10)
        return np.where(faint, 0, words).astype(np.uint32)

    def _add(self, frames: np.ndarray) -> None:
        spectrum = torch.fft.rfft(torch.from_numpy(frames * self._shape))  # faster than numpy's
        power = spectrum.abs().square().numpy()
        energies = np.add.reduceat(power[:, : self._edges[-1]], self._edges[:-1], axis=1)
        differences = np.concatenate([self._before, energies[:, :-1] - energies[:, 1:]])
        grown = differences[LAG:] > differences[:-LAG]
        bits = np.packbits(grown, axis=1, bitorder="little")
        words = bits.view("<u4")[:, 0].copy()
        missing = len(frames) - len(words)
        self._words.append(np.concatenate([np.zeros(missing, np.uint32), words]))
        self._levels.append(energies.sum(axis=1))
        self._before = differences[-LAG:]
