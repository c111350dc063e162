"""Measures of a clip's audio: duration, level, clipping, a digest of its samples."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.audio.level import decibels
from auricle.audio.load import open_window

if TYPE_CHECKING:
    import numpy as np

FULL_SCALE = 0.98  # converters and editors leave a margin of up to 0.2 dB when they clip
FLAT_RUN = 3  # equal samples: at 8 kHz and up, no wave's own peak stays within 1/32768 longer
FLOOR_DBFS = -120.0  # below 16-bit noise; stands for digital silence


@dataclass(frozen=True, slots=True)
class SoundMeasures:
    """``level_dbfs``: RMS without the mean, relative to full scale; ``clipped``: share of samples;
    ``missing_s``: seconds that the file declares but does not hold.

    ``digest`` is equal for equal samples (16 bit, mono, at the file's own rate), whatever the
    format, tags and name of the file.
    """

    duration_s: float
    sample_rate_hz: int
    level_dbfs: float
    clipped: float
    missing_s: float
    digest: str


def measure(path: Path, start_s: float | None = None, end_s: float | None = None) -> SoundMeasures:
    """Decode the section of ``path`` from ``start_s`` to ``end_s`` (seconds), or all, and measure.

    Raises AudioError: the file is unreadable or damaged, or the section lies beyond its end.
    """
    with open_window(path) as window:
        rate_hz, meter = window.rate_hz, Meter()
        for piece in window.pieces(start_s or 0.0, end_s, rate_hz):
            meter.add(piece)
        duration_s, missing_s = meter.samples / rate_hz, window.missing_s()
        if meter.peak > 1:  # loading scales it down to full scale; only the end tells by how much
            meter = Meter(meter.peak)
            for piece in window.pieces(start_s or 0.0, end_s, rate_hz):
                meter.add(piece)
    return SoundMeasures(
        duration_s=duration_s,
        sample_rate_hz=rate_hz,
        level_dbfs=max(FLOOR_DBFS, meter.level_dbfs()),
        clipped=meter.clipped(),
        missing_s=missing_s,
        digest=meter.digest.hexdigest(),
    )


class Meter:
    """Measures of consecutive pieces of a waveform, equal to those of the whole. ``scale``: samples
    are divided by it."""

    def __init__(self, scale: float = 1.0) -> None:
        self.samples, self.peak = 0, 0.0
        self.digest = hashlib.blake2b(digest_size=16)
        self._scale = scale
        self._sum = self._squares = 0.0
        self._last: np.ndarray | None = None  # [1]
        self._clipped = 0  # samples of runs that have ended
        self._flat = 0  # samples at the end that equal the one before them

    def add(self, piece: np.ndarray) -> None:
        """``piece``: float32 [n]."""
        import numpy as np

        if not len(piece):
            return
        if self._scale > 1:
            piece = piece / self._scale
        self.samples += len(piece)
        self.peak = max(self.peak, float(piece.max()), -float(piece.min()))
        pcm = np.clip(np.round(piece * 32768), -32768, 32767).astype("<i2")  # the decoders' scale
        self.digest.update(pcm.data)
        self._sum += float(piece.sum(dtype=np.float64))
        self._squares += float(np.square(piece, dtype=np.float64).sum())
        before = self._last if self._last is not None else np.full(1, np.nan, np.float32)
        self._add_runs((np.diff(piece, prepend=before) == 0) & (np.abs(piece) >= FULL_SCALE))
        self._last = piece[-1:].copy()

    def level_dbfs(self) -> float:
        """`auricle.audio.level.level_dbfs` of the pieces in one."""
        mean = self._sum / self.samples
        return decibels(math.sqrt(max(0.0, self._squares / self.samples - mean**2)))

    def clipped(self) -> float:
        """Share of samples in runs of `FLAT_RUN` or more equal ones near full scale."""
        import numpy as np

        return (self._clipped + _clipped(np.array([self._flat]))) / self.samples

    def _add_runs(self, flat: np.ndarray) -> None:
        """Count runs, the last of which may go on in the next piece. ``flat``:
        whether a sample near full scale equals the one before it, bool [n]."""
        import numpy as np

        edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
        runs = edges[1::2] - edges[::2]
        if flat[0]:
            runs[0] += self._flat
        else:
            runs = np.append(self._flat, runs)
        self._flat = int(runs[-1]) if flat[-1] else 0
        self._clipped += _clipped(runs[: len(runs) - bool(flat[-1])])


def _clipped(runs: np.ndarray) -> int:
    """Samples of runs of `FLAT_RUN` or more. ``runs``: numbers of equal neighbours, which are one
    fewer than the samples."""
    return int((runs[runs + 1 >= FLAT_RUN] + 1).sum())
