"""Captioning a folder of short files: the speed beside captioning from memory, and kills.

    python benchmarks/folders.py [--files N] [--kills N] [--seed N] [--model NAME]

The files are cuts of the examples, 1 to 3 s each, in folders and several formats, all different.
From memory, their samples go through `Captioner.stream` of one process that has loaded model and
samples; from the folder, `auricle caption FOLDER --output DIR/` runs as a user runs it, with and
without the seconds that it takes with a single file. Then the same run is killed (SIGKILL) at
random times and resumed, and sidecars and ledger are compared with those of the whole run. Numbers
in records may differ by rounding, because after a kill other recordings share a batch.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import auricle
from auricle.audio.load import load_audio
from auricle.ledger import NAME, Ledger

EXAMPLES = Path(__file__).parents[1] / "examples"
PROGRAM = str(Path(sys.executable).with_name("auricle"))
RATE_HZ = 32_000
FORMATS = ("wav", "wav", "flac", "ogg")


def write_files(folder: Path, count: int, seed: int) -> list[Path]:
    """``count`` cuts of the examples, each with a level of its own, 100 to a folder."""
    rng = np.random.default_rng(seed)
    sources = [
        load_audio(path, RATE_HZ).waveform
        for path in sorted(EXAMPLES.iterdir())
        if path.suffix in {".ogg", ".wav", ".flac", ".mp3"}
    ]
    paths = []
    for number in range(count):
        source = sources[rng.integers(len(sources))]
        length = int(rng.uniform(1.0, 3.0) * RATE_HZ)
        first = int(rng.integers(len(source) - length))
        suffix = FORMATS[rng.integers(len(FORMATS))]
        path = folder / f"part {number // 100:03}" / f"{number:05}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cut = source[first : first + length] * rng.uniform(0.3, 1.0)
        soundfile.write(path, cut, RATE_HZ)
        paths.append(path)
    return paths


class Stopwatch:
    """Seconds by the clock, and of the processors, of this process or of those that it started."""

    def __init__(self, who: int = resource.RUSAGE_SELF) -> None:
        self.who = who
        self._begun = self._now()

    def read(self) -> np.ndarray:
        """[clock, processors]"""
        return self._now() - self._begun

    def _now(self) -> np.ndarray:
        used = resource.getrusage(self.who)
        return np.array([time.perf_counter(), used.ru_utime + used.ru_stime])


def from_memory(captioner: auricle.Captioner, paths: list[Path]) -> np.ndarray:
    """Seconds to caption the samples of ``paths``, [clock, processors]."""
    rate_hz = captioner.sample_rate_hz
    sounds = [(load_audio(path, rate_hz).waveform, rate_hz) for path in paths]
    watch = Stopwatch()
    done = sum(found.caption is not None for found in captioner.stream(sounds))
    assert done == len(paths)
    return watch.read()


def command(sounds: Path, output: Path, model: str, *more: str) -> list[str]:
    return [PROGRAM, "caption", str(sounds), "--model", model, "--output", f"{output}/", *more]


def run_seconds(arguments: list[str]) -> np.ndarray:
    """Seconds of a program, [clock, processors]."""
    watch = Stopwatch(resource.RUSAGE_CHILDREN)
    subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL)
    return watch.read()


def killed(sounds: Path, output: Path, model: str, kills: int, wall_s: float, seed: int) -> float:
    """Run and kill ``kills`` times at random, then let it end; the seconds of the last run."""
    chance = random.Random(seed)
    for _ in range(kills):
        process = subprocess.Popen(
            command(sounds, output, model, "--resume"), stderr=subprocess.DEVNULL
        )
        lived_s = chance.uniform(0.1, 0.9) * wall_s / (kills + 1) + 2
        time.sleep(lived_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Ledger(output / NAME) as ledger:
            print(f"  killed after {lived_s:.1f} s: {ledger.counts()}")
    return float(run_seconds(command(sounds, output, model, "--resume"))[0])


def compare(paths: list[Path], whole: Path, killed: Path) -> None:
    """Raise AssertionError unless both folders hold each recording exactly once, and the same."""
    files = [sorted(path.relative_to(top) for path in top.rglob("*")) for top in (whole, killed)]
    assert files[0] == files[1], "other files"
    rounded = 0
    others = []
    for file in files[0]:
        if file.suffix == ".jsonl":
            texts = [(top / file).read_text(encoding="utf-8") for top in (whole, killed)]
            one, other = map(json.loads, texts)  # one record each
            rounded += texts[0] != texts[1]
            if not same(one, other):
                others.append((file, one["caption"], other["caption"]))
    for top in (whole, killed):
        with Ledger(top / NAME) as ledger:
            rows = [row.recording for row, _ in ledger.rows("done")]
            assert ledger.counts() == {("caption", "done"): len(paths)}
        assert sorted(rows) == sorted(map(str, paths)), "other rows"
    print(
        f"  {len(paths)} recordings, each with one row and one sidecar that equals the whole run's,"
        f" {rounded} of them but for rounding, and {len(others)} but for a candidate that rounding"
        " changed"
    )
    for file, one, other in others:
        print(f"    {file}: {one!r}, {other!r}")


def same(one: Any, other: Any) -> bool:
    """Whether values of JSON are equal, numbers but for rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-5)
    return one == other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="tiny")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        top = Path(name).resolve()
        sounds, count = top / "sounds", arguments.files
        paths = write_files(sounds, count, arguments.seed)
        captioner = auricle.load(arguments.model)
        from_memory(captioner, paths[:32])  # warm
        alone = top / "alone"
        alone.mkdir()
        (alone / paths[0].name).write_bytes(paths[0].read_bytes())
        start_s = run_seconds(command(alone, top / "one", arguments.model))
        before_s = from_memory(captioner, paths)
        whole_s = run_seconds(command(sounds, top / "whole", arguments.model))
        after_s = from_memory(captioner, paths)  # on both sides: the machine may be busy
        memory_s, work_s = (before_s + after_s) / 2, whole_s - start_s
        for at, kind in enumerate(("by the clock", "of the processors")):
            print(
                f"seconds {kind}: {before_s[at]:.1f} and {after_s[at]:.1f} from memory,"
                f" {whole_s[at]:.1f} from the folder; {memory_s[at] / whole_s[at]:.2f} of the"
                f" speed, {memory_s[at] / work_s[at]:.2f} without the {start_s[at]:.1f} s of one"
                " file",
                flush=True,
            )
        last_s = killed(
            sounds, top / "killed", arguments.model, arguments.kills, whole_s[0], arguments.seed
        )
        print(f"  the last run took {last_s:.1f} s")
        compare(paths, top / "whole", top / "killed")


if __name__ == "__main__":
    main()
