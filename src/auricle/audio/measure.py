"""Measures of a clip's audio: duration, level, clipping, a digest of its samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.audio.header import probe
from auricle.audio.level import level_dbfs
from auricle.audio.load import load_audio

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
    import numpy as np

    rate_hz, declared_s = probe(path)
    recording = load_audio(path, rate_hz, start_s or 0.0, end_s)
    waveform = recording.waveform
    pcm = np.clip(np.round(waveform * 32768), -32768, 32767).astype("<i2")  # the decoders' scale
    return SoundMeasures(
        duration_s=len(waveform) / rate_hz,
        sample_rate_hz=rate_hz,
        level_dbfs=max(FLOOR_DBFS, level_dbfs(waveform)),
        clipped=_clipped(waveform),
        missing_s=max(0.0, declared_s - recording.duration_s),
        digest=hashlib.blake2b(pcm.tobytes(), digest_size=16).hexdigest(),
    )


def _clipped(waveform: np.ndarray) -> float:
    """Share of samples in runs of `FLAT_RUN` or more equal ones near full scale."""
    import numpy as np

    flat = (np.diff(waveform) == 0) & (np.abs(waveform[1:]) >= FULL_SCALE)
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    runs = edges[1::2] - edges[::2] + 1  # samples: n equal neighbours are n + 1
    return float(runs[runs >= FLAT_RUN].sum()) / len(waveform)
