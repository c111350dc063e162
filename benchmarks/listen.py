"""`auricle listen` at real time: how long after a sound its line comes, and at what cost.

    python benchmarks/listen.py [FOLDER] [--seconds S] [--noise DBFS] [--seed N] [--model NAME]

A recording with known sounds between gaps of noise (benchmarks/timeline/recordings.py) is written
to the standard input of `auricle listen -` as a microphone would give it, 20 ms at a time. The
clock of this process tells when a line comes. The sounds are those of examples, or of a FOLDER
with captions.json. Processor time and memory are those of the process, once it listens.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.timeline.recordings import RATE_HZ, Event, captioned_clips, make_scene

EXAMPLES = Path(__file__).parents[1] / "examples"
WRITE_S = 0.02
SAMPLES = 10  # of the memory


def used(process: int) -> tuple[float, float]:
    """(seconds of processor time, resident MB) of a process so far; Linux."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    return (int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * page / 1e6


def feed(process: subprocess.Popen, waveform: np.ndarray, start_s: float) -> list[tuple]:
    """Write the sound at real time; `used` ten times on the way."""
    data = (waveform * 32767).astype("<i2").tobytes()
    step = 2 * round(WRITE_S * RATE_HZ)
    readings = []
    for number, first in enumerate(range(0, len(data), step)):
        due_s = start_s + (first + step) / 2 / RATE_HZ  # when a microphone has heard it
        time.sleep(max(0.0, due_s - time.monotonic()))
        process.stdin.write(data[first : first + step])
        process.stdin.flush()
        if number % (len(data) // step // SAMPLES) == 0:
            readings.append((time.monotonic(), *used(process.pid)))
    process.stdin.close()
    return readings


def percentiles(values: list[float]) -> str:
    if not values:
        return "none"
    p50, p95 = np.percentile(values, (50, 95))
    return f"p50 {p50:.2f} s, p95 {p95:.2f} s, most {max(values):.2f} s ({len(values)})"


def overlap_s(record: dict, event: Event) -> float:
    return min(record["end_s"], event.end_s) - max(record["start_s"], event.start_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--noise", type=float, default=-72.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="tiny")
    arguments = parser.parse_args()

    examples = [
        (path, ()) for path in sorted(EXAMPLES.iterdir()) if path.suffix in (".ogg", ".wav")
    ]
    clips = captioned_clips(arguments.folder) if arguments.folder else examples
    scene = make_scene(clips, arguments.seed, arguments.noise, arguments.seconds)
    command = [sys.executable, "-m", "auricle", "listen", "-", "--model", arguments.model]
    raw = ["--rate", str(RATE_HZ), "--format", "jsonl"]
    process = subprocess.Popen(
        [*command, *raw], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    print(process.stderr.readline().decode().strip())  # the models are loaded
    lines: list[tuple[float, dict]] = []

    def read() -> None:
        for line in process.stdout:
            lines.append((time.monotonic(), json.loads(line)))

    reader = threading.Thread(target=read)
    reader.start()
    start_s = time.monotonic()
    readings = feed(process, scene.waveform, start_s)
    reader.join()
    print(process.stderr.read().decode().strip())

    ended = [(at_s - start_s, record) for at_s, record in lines if not record["goes_on"]]
    alone = []
    for number, event in enumerate(scene.events):
        following = scene.events[number + 1 : number + 2]
        found = [(at_s, one) for at_s, one in ended if overlap_s(one, event) > 0.2]
        if found and not (following and following[0].start_s - event.end_s < 0.1):
            alone.append(max(at_s for at_s, _ in found) - event.end_s)
    heard = sum(any(overlap_s(one, e) > 0.2 for _, one in ended) for e in scene.events)
    false = sum(all(overlap_s(one, e) <= 0 for e in scene.events) for _, one in ended)
    (first_s, begun, _), (last_s, finished, _) = readings[0], readings[-1]
    print(f"{len(scene.waveform) / RATE_HZ:.0f} s, {len(scene.events)} sounds: {heard} with a line")
    print(f"{len(ended)} lines of sounds that ended, {len(lines) - len(ended)} of some that go on")
    print(f"lines without a sound: {false}")
    print("from a line's end_s to the line:", percentiles([at - one["end_s"] for at, one in ended]))
    print("from a sound's true end, with a gap after it, to its last line:", percentiles(alone))
    share = 100 * (finished - begun) / (last_s - first_s)
    print(f"processor: {share:.1f} % of one; machine's load {os.getloadavg()[0]:.1f}")
    print("memory in MB:", " ".join(f"{memory:.0f}" for *_, memory in readings))


if __name__ == "__main__":
    main()
