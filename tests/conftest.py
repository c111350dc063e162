"""Sounds for the tests, made on the spot."""

from __future__ import annotations

import json
import os

# Before torch is imported: on tensors this small a second thread costs more than it gives, and much
# more where something else is running.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile


def tone(duration_s: float, rate_hz: int = 16_000, frequency_hz: float = 440.0) -> np.ndarray:
    """A sine of amplitude 0.5, float32 [samples]."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


@pytest.fixture
def golden_metrics() -> Callable[[str], list | dict]:
    """``golden_metrics(name)`` -> what other tools computed, from a .json or .jsonl file."""
    folder = Path(__file__).parents[2] / "shared" / "golden" / "metrics"
    if not folder.is_dir():
        pytest.skip("needs the project's shared data folder")

    def read(name: str) -> list | dict:
        text = (folder / name).read_text(encoding="utf-8")
        lines = text.splitlines() if name.endswith(".jsonl") else None
        return json.loads(text) if lines is None else [json.loads(line) for line in lines]

    return read


@pytest.fixture
def write_tone(tmp_path: Path) -> Callable[..., Path]:
    """``write_tone(name, duration_s, rate_hz, channels)`` -> path of a new file in tmp_path."""

    def write(name: str, duration_s: float = 1.0, rate_hz: int = 16_000, channels: int = 1) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = np.tile(tone(duration_s, rate_hz)[:, None], (1, channels))
        soundfile.write(path, sound, rate_hz)
        return path

    return write


@pytest.fixture
def write_sound() -> Callable[[Path, np.ndarray, int], Path]:
    """Writes float32 [L] as the kind of file that the path's suffix names."""
    return write_sound_file


def write_sound_file(path: Path, sound: np.ndarray, rate_hz: int) -> Path:
    if path.suffix in (".m4a", ".mp4", ".mkv", ".webm"):
        return _write_by_ffmpeg(path, sound, rate_hz)
    kind: dict[str, Any] = {}
    if path.suffix == ".opus":
        kind = {"format": "OGG", "subtype": "OPUS"}
    elif path.suffix == ".mp3":
        mode = "VARIABLE" if ".vbr" in path.name else "CONSTANT"
        kind = {"bitrate_mode": mode, "compression_level": 0.5}
    with soundfile.SoundFile(path, "w", rate_hz, 1, **kind) as file:
        for start in range(0, len(sound), 4096):  # libvorbis falls over a long array
            file.write(sound[start : start + 4096])
    return path


def _write_by_ffmpeg(path: Path, sound: np.ndarray, rate_hz: int) -> Path:
    av = pytest.importorskip("av", reason="the extra auricle[av] is not installed")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=rate_hz)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        size = 960 if path.suffix == ".webm" else 1024
        resampler = av.AudioResampler(stream.format.name, "mono", rate_hz, frame_size=size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return path
