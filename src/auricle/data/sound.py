"""A clip's sound: its samples, and whether they can be decoded, are loud enough, are clipped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.audio import load_audio
from auricle.data.manifest import Clip
from auricle.data.mixing import (
    FADE_S,
    FOLLOWED_BY,
    LEVEL_RANGE_DB,
    Mix,
    draw,
    follow,
    mix,
    mix_of,
    share_of_room,
    shares_of_time,
)
from auricle.data.probe import probe
from auricle.errors import AudioError

if TYPE_CHECKING:
    import numpy as np

    from auricle.audio import Recording

FULL_SCALE = 0.98  # converters and editors leave a margin of up to 0.2 dB when they clip
FLAT_RUN = 3  # equal samples: at 8 kHz and up, no wave's own peak stays within 1/32768 longer
FLOOR_DBFS = -120.0  # below 16-bit noise; stands for digital silence


@dataclass(frozen=True, slots=True)
class Sound:
    """``level_dbfs``: RMS without the mean, relative to full scale; ``clipped``: share of samples;
    ``missing_s``: seconds that the file declares and does not hold.

    ``digest`` is equal for equal samples (16 bit, mono, at the file's own rate), however they are
    packed: wav, flac, other tags or another name.
    """

    duration_s: float
    sample_rate_hz: int
    level_dbfs: float
    clipped: float
    missing_s: float
    digest: str


@dataclass(frozen=True, eq=False, slots=True)
class Mixed:
    """Two recordings in one. ``mix``: the second one with the level and the offset it got;
    ``seconds``: how much of the first and of the second is heard."""

    waveform: np.ndarray
    mix: Mix
    seconds: tuple[float, float]


def load_clip(
    clip: Clip,
    sample_rate_hz: int,
    max_duration_s: float | None = None,
    *seed: int,
    mix_range_db: float = LEVEL_RANGE_DB,
) -> np.ndarray:
    """What is heard of ``clip``: float32 [L] mono at ``sample_rate_hz``, in [-1, 1].

    At most ``max_duration_s`` from its start on. If it is a mix-up, both recordings; level and
    offset that its row leaves open are drawn by ``seed`` and the clip's id, within
    ``mix_range_db``.

    Raises AudioError: a recording is unreadable or damaged, or ends before its section starts.
    """
    if other := mix_of(clip):
        return load_mix(
            clip, other, sample_rate_hz, max_duration_s, *seed, mix_range_db=mix_range_db
        ).waveform
    return _section(clip.audio, clip.start_s, clip.end_s, sample_rate_hz, max_duration_s)


def load_mix(
    clip: Clip,
    other: Mix,
    sample_rate_hz: int,
    max_duration_s: float | None = None,
    *seed: int,
    mix_range_db: float = LEVEL_RANGE_DB,
) -> Mixed:
    """`load_clip` of ``clip`` with ``other`` mixed in.

    Recordings that follow each other and together last longer than ``max_duration_s`` are both cut
    (`shares_of_time`); their ``offset_s`` is where the second one starts.
    """
    first = _section(clip.audio, clip.start_s, clip.end_s, sample_rate_hz, max_duration_s)
    second = _section(other.audio, other.start_s, other.end_s, sample_rate_hz, max_duration_s)
    level_db, offset = draw(*seed, clip.id, range_db=mix_range_db)
    if other.level_db is not None:
        level_db = other.level_db
    if other.relation == FOLLOWED_BY:
        if max_duration_s is not None:
            longest = round(max_duration_s * sample_rate_hz)
            lengths = shares_of_time((len(first), len(second)), longest)
            first, second = first[: lengths[0]], second[: lengths[1]]
        mixed = follow(first, second, level_db, round(FADE_S * sample_rate_hz))
        start = len(first)
    else:
        if other.offset_s is not None:
            offset = share_of_room(other.offset_s, (len(first), len(second)), sample_rate_hz)
        mixed = mix(first, second, level_db, offset)
        start = round(offset * abs(len(first) - len(second)))
    done = replace(other, level_db=level_db, offset_s=start / sample_rate_hz)
    return Mixed(mixed, done, (len(first) / sample_rate_hz, len(second) / sample_rate_hz))


def _section(
    path: Path,
    start_s: float | None,
    end_s: float | None,
    sample_rate_hz: int,
    max_duration_s: float | None,
) -> np.ndarray:
    if max_duration_s is not None:
        latest_s = (start_s or 0.0) + max_duration_s
        end_s = latest_s if end_s is None else min(end_s, latest_s)
    waveform = _from(start_s, load_audio(path, sample_rate_hz, end_s))
    return waveform.copy() if start_s else waveform  # a view would keep all of the recording


def _from(start_s: float | None, recording: Recording) -> np.ndarray:
    """The waveform of ``recording`` from ``start_s`` on, a view; AudioError if that is nothing."""
    waveform, rate_hz = recording.waveform, recording.sample_rate_hz
    rest = waveform[round((start_s or 0.0) * rate_hz) :]
    if not len(rest):
        raise AudioError(
            f"{recording.name}: lasts {len(waveform) / rate_hz:.4g} s, but the section starts at"
            f" {start_s:g} s; correct start_s"
        )
    return rest


def measure(path: Path, start_s: float | None = None, end_s: float | None = None) -> Sound:
    """Decode the section of ``path`` from ``start_s`` to ``end_s`` (seconds), or all, and measure.

    Raises AudioError: unreadable, damaged, or the section lies beyond the end.
    """
    import numpy as np

    rate_hz, declared_s = probe(path)
    recording = load_audio(path, rate_hz, end_s)
    waveform = _from(start_s, recording)
    deviation = float(waveform.std(dtype=np.float64))
    pcm = np.clip(np.round(waveform * 32768), -32768, 32767).astype("<i2")  # as decoders scale
    return Sound(
        duration_s=len(waveform) / rate_hz,
        sample_rate_hz=rate_hz,
        level_dbfs=max(FLOOR_DBFS, 20 * float(np.log10(max(deviation, 1e-9)))),
        clipped=_clipped(waveform),
        missing_s=max(0.0, declared_s - recording.duration_s),
        digest=hashlib.blake2b(pcm.tobytes(), digest_size=16).hexdigest(),
    )


def _clipped(waveform: np.ndarray) -> float:
    """Share of samples in runs of `FLAT_RUN` or more equal ones near full scale."""
    import numpy as np

    flat = (np.diff(waveform) == 0) & (np.abs(waveform[1:]) >= FULL_SCALE)
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    runs = edges[1::2] - edges[::2] + 1  # in samples: n equal neighbours are n + 1 samples
    return float(runs[runs >= FLAT_RUN].sum()) / len(waveform)
