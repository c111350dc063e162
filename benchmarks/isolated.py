"""The cost of decoding in another process, as the service does: times, beside those without one.

    python benchmarks/isolated.py [--minutes 60] [--clips 100] [--rounds 3]

A long recording and clips of ten seconds are read in every format at 16 kHz, by both ways in turn.
The table shows the time of the long recording and its ratio (medians), and milliseconds of a clip
(means).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from sections import KINDS, RATE_HZ, timed, write

from auricle.audio.isolated import Decoders
from auricle.audio.kinds import AudioInput
from auricle.audio.load import open_window

CLIP_S = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Decoders(1) as decoders:
        clip = Path(folder, "clip.wav")
        write(clip, CLIP_S)
        began = timed(lambda: read(decoders.source(clip, clip.name)))
        print(f"a process and its first clip take {began:.2f} s")
        print(f"\n{args.minutes:g} min (s)  here   there  ratio     {CLIP_S:g} s (ms)  here  there")
        for kind in KINDS:
            long, clip = Path(folder, f"long.{kind}"), Path(folder, f"clip.{kind}")
            write(long, 60 * args.minutes)
            write(clip, CLIP_S)
            here, there = times(decoders, long, 1, args.rounds)
            begin, other = times(decoders, clip, args.clips, args.rounds)
            print(
                f"{kind:<10} {here:7.2f} {there:7.2f} {there / here:6.2f}"
                f" {1000 * begin:18.2f} {1000 * other:6.2f}",
                flush=True,
            )
            long.unlink()
        print(f"{decoders.deaths} processes died")


def times(decoders: Decoders, path: Path, count: int, rounds: int) -> tuple[float, float]:
    """Seconds to read ``path`` in this process and in another one."""
    sources: tuple[AudioInput, ...] = (path, decoders.source(path, path.name))
    taken: list[list[float]] = [[], []]
    for _ in range(rounds):  # in turns, so that other load affects both
        for source, found in zip(sources, taken, strict=True):
            began = time.perf_counter()
            for _ in range(count):
                read(source)
            found.append((time.perf_counter() - began) / count)
    here, there = map(statistics.median, taken)
    return here, there


def read(source: AudioInput) -> None:
    with open_window(source) as window:
        for _ in window.pieces(0.0, None, RATE_HZ):
            pass


if __name__ == "__main__":
    main()
