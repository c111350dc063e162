"""The cost of ten seconds of a recording by position, and of consecutive windows.

    python benchmarks/sections.py [--minutes 60]

A recording of that length is written in every format. The table shows the time to read a section in
its middle and near its end as a multiple of the time at its start (medians), and the time of all
windows as a multiple of the time to read the whole recording. In an MP3 of variable bit rate,
libmpg123 reads the headers of all frames before the section, a tenth of the cost of decoding.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from auricle.audio.load import load_audio, load_sections

RATE_HZ = 16_000
SECTION_S, HOP_S = 10.0, 5.0
REPEATS = 7
BY_FFMPEG = ("m4a", "mp4")
KINDS = ("wav", "flac", "ogg", "mp3", "vbr.mp3", *BY_FFMPEG)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    minutes = parser.parse_args().minutes
    print(f"{minutes:g} min, {SECTION_S:g} s sections, windows every {HOP_S:g} s")
    print("format   start (ms)   middle   end    windows / whole")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            path = Path(folder) / f"recording.{kind}"
            try:
                write(path, minutes * 60)
            except ImportError:
                print(f"{kind:<8} needs PyAV: pip install 'auricle[av]'")
                continue
            print(f"{kind:<8} {measure(path, minutes * 60)}")
            path.unlink()


def measure(path: Path, duration_s: float) -> str:
    """A row of the table."""
    starts = (0.0, duration_s / 2, duration_s - 2 * SECTION_S)
    seconds: list[list[float]] = [[] for _ in starts]
    for _ in range(REPEATS):  # in turns, so that other load affects all
        for taken, start_s in zip(seconds, starts, strict=True):
            taken.append(timed(partial(load_audio, path, RATE_HZ, start_s, start_s + SECTION_S)))
    first, middle, end = map(statistics.median, seconds)
    windows = [(s, s + SECTION_S) for s in np.arange(0, duration_s - SECTION_S, HOP_S).tolist()]
    all_of_it = timed(lambda: sum(1 for _ in load_sections(path, RATE_HZ, windows)))
    whole = timed(lambda: load_audio(path, RATE_HZ))
    ratios = f"{middle / first:8.2f} {end / first:6.2f} {all_of_it / whole:11.2f}"
    return f"{1000 * first:9.1f} {ratios}"


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def write(path: Path, duration_s: float) -> None:
    """Write noise of changing level, in pieces."""
    noise = np.random.default_rng(0)
    minute = noise.standard_normal(round(min(60, duration_s) * RATE_HZ)).astype(np.float32) * 0.1
    minute *= np.abs(np.sin(np.arange(len(minute)) / RATE_HZ)).astype(np.float32)
    if path.suffix[1:] in BY_FFMPEG:
        write_by_ffmpeg(path, minute, duration_s)
        return
    rate: dict[str, Any] = {}
    if path.suffix == ".mp3" and ".vbr" not in path.name:
        rate = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, **rate) as file:
        for _ in range(max(1, round(duration_s / 60))):
            for first in range(0, len(minute), 4096):
                file.write(minute[first : first + 4096])


def write_by_ffmpeg(path: Path, minute: np.ndarray, duration_s: float) -> None:
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=RATE_HZ)
        stream.layout = "mono"
        resampler = av.AudioResampler(stream.format.name, "mono", RATE_HZ, frame_size=1024)
        for _ in range(max(1, round(duration_s / 60))):
            frame = av.AudioFrame.from_ndarray(minute[None], format="fltp", layout="mono")
            frame.sample_rate = RATE_HZ
            for piece in resampler.resample(frame):
                file.mux(stream.encode(piece))
        file.mux(stream.encode(None))


if __name__ == "__main__":
    main()
