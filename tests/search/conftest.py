"""Recordings, and a listener that only counts what it hears."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.audio.load import load_audio
from auricle.errors import AudioError
from auricle.search.hear import HeardFile
from auricle.search.rows import Described, Indexed, Maker

MAKER = Maker("debug", "abcdef0123456789")


class CountingListener:
    """Hears without a model: the caption is the file's length, the vector its spectrum."""

    longest_s = 2.0

    def __init__(self) -> None:
        self.heard: list[str] = []

    def short(self, files: Iterable[Indexed]) -> Iterator[HeardFile]:
        return map(self._hear, files)

    def long(self, file: Indexed, progress: object) -> HeardFile:
        found = self._hear(file)
        if found.error:
            return found
        (whole,) = found.sounds
        segments = [
            Described(start_s, start_s + 1.0, "a part", segment=True, vector=whole.vector)
            for start_s in range(int(found.end_s))
        ]
        return HeardFile(file, (whole, *segments), found.end_s, found.words)

    def _hear(self, file: Indexed) -> HeardFile:
        self.heard.append(Path(file.audio).name)
        try:
            recording = load_audio(file.audio, 16_000)
        except AudioError as error:
            return HeardFile(file, error=error)
        vector = np.abs(np.fft.rfft(recording.waveform[:14]))
        vector /= np.linalg.norm(vector)
        sound = Described(0.0, recording.end_s, f"{recording.end_s:.2f} s", vector=vector)
        return HeardFile(file, (sound,), recording.end_s, np.arange(3, dtype=np.uint32))


@pytest.fixture
def listener() -> CountingListener:
    return CountingListener()


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder of five short noises, each with its own content: 0.wav to 4.wav."""
    folder = tmp_path / "sounds"
    for number in range(5):
        write_noise(folder / f"{number}.wav", number)
    return folder


def write_noise(path: Path, seed: int, duration_s: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).standard_normal(round(16_000 * duration_s))
    soundfile.write(path, 0.1 * noise, 16_000)
    return path
