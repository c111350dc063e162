"""Recordings with known events: real clips at one level, with faint noise between them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auricle.audio.level import amplitude, level_dbfs
from auricle.audio.load import load_audio
from auricle.tiny.tracks import coloured_noise

RATE_HZ = 16_000
EVENT_S, GAP_S = (4.0, 10.0), (3.0, 20.0)
TOUCHING = 0.2  # share of the gaps that have no length
EVENT_DBFS, NOISE_DBFS = -26.0, -72.0


@dataclass(frozen=True)
class Event:
    """A clip's place in a recording, in seconds, and its captions."""

    start_s: float
    end_s: float
    references: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scene:
    """A recording, float32 [L] at `RATE_HZ`, and its events in order."""

    waveform: np.ndarray
    events: tuple[Event, ...]

    def cut_out(self, event: Event) -> np.ndarray:
        return self.waveform[round(event.start_s * RATE_HZ) : round(event.end_s * RATE_HZ)]


def captioned_clips(folder: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """Sound files of a folder with their captions, by its captions.json."""
    rows = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
    return [(folder / row["audio"], tuple(row["captions"])) for row in rows]


def make_scene(
    clips: Sequence[tuple[Path, tuple[str, ...]]],
    seed: int,
    noise_dbfs: float = NOISE_DBFS,
    duration_s: float = 600.0,
    slope: float = 0.0,
) -> Scene:
    """About ``duration_s`` of ``clips``, shuffled by ``seed``, between gaps of noise (see
    `coloured_noise` for its ``slope``)."""
    rng = np.random.default_rng(seed)
    pieces, events, place = [], [], 0
    order: list[int] = []
    gap_s = rng.uniform(*GAP_S)
    while True:
        pieces.append(np.zeros(round(gap_s * RATE_HZ), np.float32))
        place += len(pieces[-1])
        if place >= duration_s * RATE_HZ:
            break
        order = order or list(rng.permutation(len(clips)))
        path, references = clips[order.pop()]
        whole = load_audio(path, RATE_HZ).waveform
        length = min(len(whole), round(rng.uniform(*EVENT_S) * RATE_HZ))
        first = rng.integers(len(whole) - length + 1)
        clip = whole[first : first + length]
        clip = clip * amplitude(EVENT_DBFS - level_dbfs(clip))
        events.append(Event(place / RATE_HZ, (place + length) / RATE_HZ, references))
        pieces.append(clip)
        place += length
        gap_s = 0.0 if rng.random() < TOUCHING else rng.uniform(*GAP_S)
    waveform = np.concatenate(pieces)
    waveform = waveform + coloured_noise(len(waveform), slope, rng) * amplitude(noise_dbfs)
    return Scene(np.clip(waveform, -1, 1).astype(np.float32), tuple(events))
