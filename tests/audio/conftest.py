"""Files of every kind of audio, written by soundfile or FFmpeg."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile


@pytest.fixture
def write_sound() -> Callable[[Path, np.ndarray, int], Path]:
    """Writes float32 [L] or [L, 2] as the kind of file that the path's suffix names."""
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
    with soundfile.SoundFile(path, "w", rate_hz, sound[0].size, **kind) as file:
        for start in range(0, len(sound), 4096):  # libvorbis falls over a long array
            file.write(sound[start : start + 4096])
    return path


def _write_by_ffmpeg(path: Path, sound: np.ndarray, rate_hz: int) -> Path:
    av = pytest.importorskip("av", reason="the extra auricle[av] is not installed")
    streamed = ".streamed" in path.name
    target, kind = (_Pipe(path), path.suffix[1:]) if streamed else (str(path), None)
    with av.open(target, "w", format=kind) as file:
        stream = file.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=rate_hz)
        stream.layout = layout = "mono" if sound.ndim == 1 else "stereo"
        planes = np.ascontiguousarray(np.atleast_2d(sound.T))
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate = rate_hz
        size = 960 if path.suffix == ".webm" else 1024
        resampler = av.AudioResampler(stream.format.name, layout, rate_hz, frame_size=size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return path


class _Pipe(io.FileIO):
    """A file whose writer cannot go back and note its length: a browser's microphone."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")

    def seekable(self) -> bool:
        return False
