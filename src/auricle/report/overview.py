"""The overview of a recording of any length: its waveform and spectrogram in few columns.

The recording is read once, from front to end. Columns begin 10 ms wide; each time they are all
full, neighbours are joined in pairs, so ten hours take the memory of ten minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auricle.audio.fbank import HOP, MEL_BINS, SAMPLE_RATE_HZ, WINDOW
from auricle.audio.kinds import AudioInput
from auricle.audio.load import open_window
from auricle.report.player import contrasted, mel_frames
from auricle.watch import Progress, silent

COLUMNS = 2048  # at most
TOGETHER = 1000  # frames, 10 s
OVERLAP = WINDOW - HOP  # samples that a frame shares with those after it


@dataclass(frozen=True, eq=False)
class Overview:
    """W columns of ``column_s`` seconds, the last of which may end after ``duration_s``.

    ``lows``, ``highs``: float32 [W], the least and the largest sample, in [-1, 1]; ``energies``:
    float32 [128, W], mean log-mel energies as of `auricle.report.player.spectrogram`;
    ``loudest``: samples were divided by it, 1 unless they left [-1, 1].
    """

    duration_s: float
    column_s: float
    lows: np.ndarray
    highs: np.ndarray
    energies: np.ndarray
    loudest: float = 1.0

    @property
    def peak(self) -> float:
        return float(max(self.highs.max(), -self.lows.min()))

    @property
    def width_s(self) -> float:
        """Seconds of all columns."""
        return self.column_s * len(self.lows)


def overview(source: AudioInput, progress: Progress = silent) -> Overview:
    """The overview of a recording. ``progress`` gets the seconds that have been read.

    Raises AudioError: the recording cannot be read.
    """
    columns, rest, samples = _Columns(), np.zeros(0, np.float32), 0
    with open_window(source) as window:
        for piece in window.pieces(0.0, None, SAMPLE_RATE_HZ):
            for start in range(0, len(piece), TOGETHER * HOP):
                part = piece[start : start + TOGETHER * HOP]
                samples += len(part)
                rest = np.concatenate([rest, part])
                if len(rest) >= TOGETHER * HOP + OVERLAP:
                    columns.add(rest[: TOGETHER * HOP + OVERLAP])
                    rest = rest[TOGETHER * HOP :]
                progress("seconds read", samples // SAMPLE_RATE_HZ, 0)
    if len(rest):
        frames = -(-len(rest) // HOP)
        columns.add(np.pad(rest, (0, frames * HOP + OVERLAP - len(rest))))
    return columns.overview(samples / SAMPLE_RATE_HZ)


class _Columns:
    """At most `COLUMNS` columns of ``width`` frames each, the last of them perhaps of fewer."""

    def __init__(self) -> None:
        self.width, self.frames = 1, 0
        self.lows = np.full(COLUMNS, np.inf, np.float32)
        self.highs = np.full(COLUMNS, -np.inf, np.float32)
        self.sums = np.zeros((COLUMNS, MEL_BINS))

    def add(self, samples: np.ndarray) -> None:
        """The next n frames: float32 [n * HOP + OVERLAP]."""
        frames = (len(samples) - OVERLAP) // HOP
        while self.frames + frames > COLUMNS * self.width:
            self._join()
        places = np.arange(self.frames, self.frames + frames) // self.width
        columns, starts = np.unique(places, return_index=True)
        waves = samples[: frames * HOP].reshape(frames, HOP)
        lows = np.minimum.reduceat(waves.min(axis=1), starts)
        highs = np.maximum.reduceat(waves.max(axis=1), starts)
        self.lows[columns] = np.minimum(self.lows[columns], lows)
        self.highs[columns] = np.maximum(self.highs[columns], highs)
        self.sums[columns] += np.add.reduceat(mel_frames(samples), starts, dtype=np.float64)
        self.frames += frames

    def overview(self, duration_s: float) -> Overview:
        used = -(-self.frames // self.width)
        counts = np.full(used, self.width)
        counts[-1] = self.frames - (used - 1) * self.width
        lows, highs = self.lows[:used], self.highs[:used]
        scale = max(1.0, float(highs.max()), -float(lows.min()))
        energies = (self.sums[:used] / counts[:, None]).T.astype(np.float32)
        column_s = self.width * HOP / SAMPLE_RATE_HZ
        return Overview(
            duration_s, column_s, lows / scale, highs / scale, contrasted(energies), scale
        )

    def _join(self) -> None:
        """Join the columns in pairs."""
        half = COLUMNS // 2
        self.lows[:half] = self.lows.reshape(half, 2).min(axis=1)
        self.highs[:half] = self.highs.reshape(half, 2).max(axis=1)
        self.sums[:half] = self.sums.reshape(half, 2, MEL_BINS).sum(axis=1)
        self.lows[half:], self.highs[half:], self.sums[half:] = np.inf, -np.inf, 0
        self.width *= 2
