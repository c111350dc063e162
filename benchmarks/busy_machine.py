"""Captioning on a busy machine: how much slower than a fair share of the processors would be.

    python benchmarks/busy_machine.py [AUDIO ...] [--rounds N] [--competitors 0 1 2]

A competitor keeps one processor busy. Beside n of them, a fair share of P processors is
P / (n + 1). If that is one processor or less, the fair time is that of one thread alone, over the
share; if it is more, the time alone with all processors, times (n + 1). The baseline is OpenMP's
own way to wait (300,000 turns of spinning); every round runs all kinds in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from auricle.processors import usable

ROOT = Path(__file__).parents[1]
KINDS = {
    "auricle": {},
    "spinning threads": {"GOMP_SPINCOUNT": "300000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
BUSY = "while True: pass"


@contextlib.contextmanager
def competitors(count: int) -> Iterator[None]:
    running = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def seconds(files: list[str], environment: dict[str, str]) -> float:
    program = str(Path(sys.executable).with_name("auricle"))
    start = time.perf_counter()
    subprocess.run(
        [program, "caption", *files],
        check=True,
        capture_output=True,
        env=os.environ | environment,
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("audio", nargs="*", default=[str(ROOT / "examples")])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--competitors", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()

    processors = usable()
    alone: dict[str, float] = {}
    print(f"{processors} processors, load {os.getloadavg()[0]:.1f} before the start")
    for count in (0, *sorted(set(arguments.competitors) - {0})):
        times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(arguments.rounds):
            for kind, environment in KINDS.items():
                with competitors(count):
                    times[kind].append(seconds(arguments.audio, environment))
        medians = {kind: statistics.median(found) for kind, found in times.items()}
        alone = alone or medians
        share = processors / (count + 1)
        fair = alone["auricle"] * (count + 1) if share > 1 else alone["one thread"] / share
        for kind, median in medians.items():
            print(
                f"{count} competitors  {kind:<18} {median:7.2f} s"
                f"  {median / fair:5.2f} times the fair time"
            )


if __name__ == "__main__":
    main()
