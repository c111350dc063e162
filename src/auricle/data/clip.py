"""Clips: a recording or a section of it, its captions, its mix, and its waveform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.audio.load import Recording, load_audio
from auricle.audio.mixing import (
    FADE_S,
    LEVEL_RANGE_DB,
    draw,
    follow,
    mix,
    share_of_room,
    shares_of_time,
)

if TYPE_CHECKING:
    import numpy as np

TOGETHER, FOLLOWED_BY = RELATIONS = ("together", "followed by")


@dataclass(frozen=True, slots=True)
class Mix:
    """The second recording of a mix-up, or its section from ``start_s`` to ``end_s`` (seconds).

    ``level_db``: RMS of the first recording above this one's in the mix; ``offset_s``: start of the
    shorter recording in the longer one in seconds, unused if one follows the other. None: drawn
    when read. ``relation``: one of `RELATIONS`.
    """

    audio: Path
    start_s: float | None = None
    end_s: float | None = None
    level_db: float | None = None
    offset_s: float | None = None
    relation: str = TOGETHER


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, or its section from ``start_s`` to ``end_s`` (seconds), and its captions.

    ``audio`` is a path that can be opened; ``split`` is "train", "val", "test", another name, or ""
    for none; ``licence`` is that of the audio; ``mix`` is mixed into it; ``extra`` holds the
    manifest's other keys.
    """

    audio: Path
    captions: tuple[str, ...]
    id: str
    split: str = ""
    start_s: float | None = None
    end_s: float | None = None
    licence: str | None = None
    source: str | None = None
    mix: Mix | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, eq=False, slots=True)
class Mixed:
    """Two recordings in one. ``mix``: the second one with its final level and offset; ``seconds``:
    the used duration of the first and the second."""

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
    """The waveform of ``clip``: float32 [L] mono at ``sample_rate_hz``, in [-1, 1].

    At most its first ``max_duration_s``. A mix-up contains both recordings; a level or offset that
    its row does not give is drawn by ``seed`` and the clip's id, within ``mix_range_db``.

    Raises AudioError: a recording is unreadable or damaged, or ends before its section starts.
    """
    return load_recording(
        clip, sample_rate_hz, max_duration_s, *seed, mix_range_db=mix_range_db
    ).waveform


def load_recording(
    clip: Clip,
    sample_rate_hz: int,
    max_duration_s: float | None = None,
    *seed: int,
    mix_range_db: float = LEVEL_RANGE_DB,
) -> Recording:
    """As `load_clip`, with the name of the file and the clip's position in it."""
    if not clip.mix:
        return load_section(clip, sample_rate_hz, max_duration_s)
    waveform = load_mix(
        clip, clip.mix, sample_rate_hz, max_duration_s, *seed, mix_range_db=mix_range_db
    ).waveform
    return Recording(str(clip.audio), waveform, len(waveform) / sample_rate_hz, sample_rate_hz)


def load_mix(
    clip: Clip,
    other: Mix,
    sample_rate_hz: int,
    max_duration_s: float | None = None,
    *seed: int,
    mix_range_db: float = LEVEL_RANGE_DB,
) -> Mixed:
    """`load_clip` of ``clip`` with ``other`` mixed in.

    If one recording follows the other and both together are longer than ``max_duration_s``, both
    are cut (`shares_of_time`); their ``offset_s`` is the start of the second one.
    """
    first, second = (
        load_section(part, sample_rate_hz, max_duration_s).waveform for part in (clip, other)
    )
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


def load_section(
    part: Clip | Mix, sample_rate_hz: int, max_duration_s: float | None = None
) -> Recording:
    """The recording of ``part``, or its section, without its mix."""
    start_s, end_s = part.start_s or 0.0, part.end_s
    if max_duration_s is not None:
        latest_s = start_s + max_duration_s
        end_s = latest_s if end_s is None else min(end_s, latest_s)
    return load_audio(part.audio, sample_rate_hz, start_s, end_s)
