"""Speed of the engines of `auricle batch` beside one another, and memory of its driver.

    python benchmarks/batch.py speed [--clips N] [--duration-s S] [--engines local:1 local:2 ray:2]
    python benchmarks/batch.py memory [--rows 1000 100000] [--engines local:1 ray:2]

Speed: the bundled model captions noises, each engine all of them, one after the other; the start of
workers counts. Memory: the most that is allocated by the process that plans, merges and counts,
while its workers meet recordings that fail at once, so that 100,000 take minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from auricle.batch.items import Item, item_of
from auricle.batch.job import Engine, JobSpec
from auricle.batch.local import run_local
from auricle.batch.ray_engine import run_ray
from auricle.batch.run import Summary, run_batch

RATE_HZ = 16_000
EVERY_S = 0.2  # between readings of the memory


def engine_of(text: str) -> Engine:
    """Of "local:2" or "ray:2": the kind and the number of workers."""
    kind, _, workers = text.partition(":")
    return partial({"local": run_local, "ray": run_ray}[kind], workers=int(workers))


def job_in(folder: Path) -> JobSpec:
    return JobSpec(str(folder), "caption", "tiny", "", {"seed": 0}, device="cpu")


def clips_in(folder: Path, count: int, duration_s: float) -> list[Item]:
    rng = np.random.default_rng(0)
    items = []
    for number in range(count):
        path = folder / f"{number:05}.flac"
        soundfile.write(path, 0.1 * rng.standard_normal(round(duration_s * RATE_HZ)), RATE_HZ)
        items.append(item_of("file", path.name, str(path)))
    return items


def broken(count: int) -> Iterator[Item]:
    """Items that fail as soon as they are opened."""
    for number in range(count):
        yield item_of("broken", f"{number:07}.wav", f"{number:07}.wav", detail="made for this")


def speed(arguments: argparse.Namespace) -> None:
    first = None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = clips_in(folder, arguments.clips, arguments.duration_s)
        for engine in arguments.engines or ["local:1", "local:2", "ray:2"]:
            load, start = os.getloadavg()[0], time.perf_counter()
            summary = run_batch(job_in(folder / engine), items, engine_of(engine))
            rate = summary.done / (time.perf_counter() - start)
            first = first or rate
            print(
                f"{engine:<8} {summary.done} clips {rate:6.2f} clips/s, {rate / first:.2f} of the"
                f" first; load before {load:.1f}",
                flush=True,
            )


def allocated_mb() -> float:
    """Memory of this process alone, without libraries: others share their pages, and end."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1000


def run_watched(rows: int, engine: str) -> tuple[Summary, float]:
    """The summary of a run in this process, and the most memory in MB."""
    readings, ended = [allocated_mb()], threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY_S):
            readings.append(allocated_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with tempfile.TemporaryDirectory() as name:
            summary = run_batch(job_in(Path(name)), broken(rows), engine_of(engine))
    finally:
        ended.set()
        watcher.join()
    return summary, max(readings)


def memory(arguments: argparse.Namespace) -> None:
    """Each run has a process of its own, as memory that was freed may stay with one."""
    if arguments.here:
        start = time.perf_counter()
        summary, most_mb = run_watched(arguments.rows[0], arguments.engines[0])
        seconds = time.perf_counter() - start
        rows = summary.done + summary.failed.total()
        print(f"{arguments.engines[0]:<8} {rows:>8} rows {most_mb:6.1f} MB {seconds:6.1f} s")
        return
    for engine in arguments.engines or ["local:1", "ray:2"]:
        for rows in arguments.rows:
            again = [sys.executable, __file__, "memory", "--here"]
            subprocess.run([*again, "--engines", engine, "--rows", str(rows)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("speed", "memory"))
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--duration-s", type=float, default=10.0)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--engines", nargs="+", metavar="KIND:WORKERS")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    {"speed": speed, "memory": memory}[arguments.what](arguments)


if __name__ == "__main__":
    main()
