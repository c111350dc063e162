"""Latency from `auricle caption one.wav` to its caption: a new process, and a loaded captioner.

    python benchmarks/latency.py [AUDIO] [--model NAME]

The baseline of the cold start is a process that only imports torch.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORTS = "import torch"


def seconds(*command: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("audio", nargs="?", default=str(ROOT / "examples/birds-singing.ogg"))
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()

    program = str(Path(sys.executable).parent / "auricle")
    caption = (program, "caption", arguments.audio, "--model", arguments.model)
    rows = {
        "process that imports torch": (sys.executable, "-c", IMPORTS),
        "auricle --help": (program, "--help"),
        "auricle caption one.wav (cold)": caption,
    }
    for name, command in rows.items():
        times = [seconds(*command) for _ in range(arguments.runs)]
        print(f"{name:<56} {statistics.median(times):6.2f} s")

    import auricle

    captioner = auricle.load(arguments.model, device="cpu")
    captioner.caption(arguments.audio)
    times = []
    for _ in range(arguments.runs):
        start = time.perf_counter()
        captioner.caption(arguments.audio)
        times.append(time.perf_counter() - start)
    print(f"{'caption() of a loaded captioner (warm)':<56} {statistics.median(times):6.2f} s")


if __name__ == "__main__":
    main()
