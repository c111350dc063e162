"""The measurement of one case in a fresh process, as a line of JSON.

python benchmarks/decoding/measure.py '{"size": "tiny"}'
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
from cases import Case, Measurement, Stage
from floor import measure_peak
from stopwatch import Stopwatch
from systems import SEED, System, build_system, example_files, looped, make_clips


class Engine(Protocol):
    def caption(
        self, waveforms: list[np.ndarray], seed: int, watch: Stopwatch
    ) -> tuple[Any, Counter[str]]:
        """Candidates of each clip, and the arithmetic of each stage."""


def measure(case: Case) -> Measurement:
    """The fastest of ``case.runs`` runs, after a warm-up on one clip.

    The baselines take long, so they have no warm-up.
    """
    if case.engine == "pipeline":
        return measure_pipeline(case)
    peaks = [measure_peak(case.precision)]
    system = build_system(case.size, case.candidates)
    clips = make_clips(case.size, case.batch, case.seconds, system.model.encoder.sample_rate_hz)
    engine = build_engine(case, system)
    if case.engine == "auricle":
        engine.caption(clips[:1], SEED + 1, Stopwatch())
    runs = [run(engine, clips) for _ in range(case.runs)]
    memory_mb = peak_memory_mb()
    profile = profiled(engine, clips) if case.profile else ""
    peaks.append(measure_peak(case.precision))  # other load may affect one of the two
    best = min(runs, key=lambda stages: sum(stage.wall_s for stage in stages.values()))
    wall, cpu = map(max, zip(*peaks, strict=True))
    return Measurement(best, memory_mb, wall, cpu, profile)


def build_engine(case: Case, system: System) -> Engine:
    if case.engine == "slow":
        from slow_path import SlowPath

        return SlowPath(system)
    if case.engine == "hf":
        from hf_generate import HfGenerate

        return HfGenerate(system)
    from fast_path import FastPath

    return FastPath(system, case.precision)


def run(engine: Engine, clips: list[np.ndarray]) -> dict[str, Stage]:
    watch = Stopwatch()
    _, flops = engine.caption(clips, SEED, watch)
    return {
        name: Stage(seconds, watch.cpu_s[name], flops[name])
        for name, seconds in watch.wall_s.items()
    }


def profiled(engine: Engine, clips: list[np.ndarray]) -> str:
    """The operators with the most self time."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as found:
        run(engine, clips)
    return found.key_averages().table(
        sort_by="self_cpu_time_total", row_limit=20, max_name_column_width=48
    )


def measure_pipeline(case: Case) -> Measurement:
    """From recordings on disk to `Caption` records with the bundled model, after a warm-up clip."""
    import auricle

    assert case.size == "tiny", "the full size has no text embedder here"
    with tempfile.TemporaryDirectory() as folder:
        paths = write_recordings(Path(folder), case.batch + 1, case.seconds)
        captioner = auricle.load(case.size, device="cpu")
        settings = {"batch_size": case.batch, "candidates": case.candidates}
        captioner.caption(paths[:1], **settings)
        watch = Stopwatch()
        with watch("all"):
            captioner.caption(paths[1:], **settings)
    stage = Stage(watch.wall_s["all"], watch.cpu_s["all"], 0)
    return Measurement({"all": stage}, peak_memory_mb(), *measure_peak("float32"))


def write_recordings(folder: Path, count: int, seconds: float) -> list[Path]:
    """16-bit WAV files of the examples, cut or looped, at the examples' own rates and channels."""
    examples, paths = example_files(), []
    for number in range(count):
        sound, rate_hz = soundfile.read(examples[number % len(examples)], dtype="float32")
        sound = looped(sound, round(seconds * rate_hz), number // len(examples))
        paths.append(folder / f"{number}.wav")
        soundfile.write(paths[-1], sound, rate_hz, "PCM_16")
    return paths


def peak_memory_mb() -> float:
    """The peak memory of this process, in 10^6 bytes (Linux).

    `getrusage` would start from the memory of the parent process.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1.024e-3


def main() -> None:
    print(json.dumps(asdict(measure(Case(**json.loads(sys.argv[1]))))))


if __name__ == "__main__":
    main()
