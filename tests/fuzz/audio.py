"""Recordings of every format, read as `auricle caption` and `auricle timeline` read them.

The name of an input tells how it is read: ``sections.flac``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from auricle.audio.header import probe
from auricle.audio.load import load_audio, load_sections
from auricle.audio.measure import measure
from auricle.audio.stream import RecordingStream
from tests.fuzz.damage import damaged
from tests.fuzz.reader import Reader
from tests.helpers.recordings import names, recording

RATE_HZ = 16_000
HEARD_S = 30.0
SECTIONS = [(0.0, 0.5), (0.3, 0.8), (0.9, 1.4)]
WAYS = {"start": 12, "sections": 2, "whole": 2, "measure": 2, "header": 1, "stream": 1}


@cache
def _whole(name: str) -> bytes:
    return recording(name)


def content(random: Random) -> tuple[str, bytes]:
    """The name of a format, and a mutated recording of it."""
    name, other = random.choices(names(), k=2)
    return name, damaged(random, _whole(name), _whole(other))


def write(random: Random, folder: Path) -> Path:
    name, mutated = content(random)
    (way,) = random.choices(list(WAYS), list(WAYS.values()))
    path = folder / f"{way}.{name}"
    path.write_bytes(mutated)
    return path


def read(path: Path) -> None:
    way = path.name.partition(".")[0]
    if way == "measure":
        measure(path)
    elif way == "header":
        found = probe(path)
        assert found.rate_hz > 0
        assert found.duration_s >= 0
    elif way == "stream":
        for piece in RecordingStream(path, RATE_HZ):
            _check(piece)
    elif way == "sections":
        for part in load_sections(path, RATE_HZ, SECTIONS):
            _check(part.waveform)
    else:
        sound = load_audio(path, RATE_HZ, end_s=HEARD_S if way == "start" else None)
        assert len(sound.waveform)
        _check(sound.waveform)


def _check(waveform: np.ndarray) -> None:
    assert waveform.dtype == np.float32
    assert np.isfinite(waveform).all()
    assert np.abs(waveform).max(initial=0) <= 1


READER = Reader(write, read)
