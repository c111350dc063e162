"""Targets of speed and memory for decoding, and whether measurements reach them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from cases import Case, Measurement

Results = Mapping[Case, Measurement]
BATCH = 16


def best_peaks(results: Results) -> dict[str, tuple[float, float]]:
    """The fastest matrix product of all processes at each precision, in GFLOP per second of wall
    time and of CPU time."""
    peaks: dict[str, tuple[float, float]] = {}
    for case, measurement in results.items():
        wall, cpu = peaks.get(case.precision, (0.0, 0.0))
        peaks[case.precision] = max(wall, measurement.wall_peak), max(cpu, measurement.cpu_peak)
    return peaks


def verdicts(results: Results) -> Iterator[str]:
    """A line for each target that these cases cover, all of 10 s clips.

    Values "by CPU time" are also valid on a shared machine with one thread (OMP_NUM_THREADS=1):
    threads that wait for each other use CPU time.
    """
    peaks = best_peaks(results)
    ours = found(results, size="full", engine="auricle", batch=1, precision="float32")
    if ours:
        gflop = ours.whole.flops / 1e9
        wall, cpu = peaks["float32"]
        why = (
            f"{gflop:.0f} GFLOP at {wall:.0f} GFLOP/s: {gflop / wall:.2f} s; "
            f"{ours.whole.cpu_s * cpu / gflop:.2f} by CPU time"
        )
        ratio = ours.whole.wall_s * wall / gflop
        yield verdict("full, wall time / arithmetic floor", ratio, most=2.0, note=why)
        yield verdict("full, MB at batch 1", ours.memory_mb, most=2500)
    many = found(results, size="full", engine="auricle", batch=BATCH, precision="float32")
    if ours and many:
        growth = (many.memory_mb - ours.memory_mb) / (BATCH - 1)
        yield verdict("full, MB for each further clip of a batch", growth, most=60)
    for engine, name, least in (("slow", "the slow path", 20), ("hf", "generate", 4)):
        other = found(results, size="full", engine=engine)
        if ours and other:
            ratio = other.whole.cpu_s / ours.whole.cpu_s
            yield verdict(f"full, CPU-seconds of {name} / ours", ratio, least=least)
    half = found(results, size="full", engine="auricle", batch=1, precision="bf16")
    if ours and half:
        ratio = ours.whole.wall_s / half.whole.wall_s
        best = peaks["bf16"][1] / peaks["float32"][1]
        by_cpu = ours.whole.cpu_s / half.whole.cpu_s
        why = f"{by_cpu:.2f} by CPU time; the peaks' ratio is {best:.2f}"
        yield verdict("full, time of float32 / bf16", ratio, least=2.5, note=why)
    tiny = found(results, size="tiny", engine="pipeline", batch=BATCH, candidates=20)
    if tiny:
        real_time = BATCH * 10.0 / tiny.whole.wall_s
        yield verdict("tiny, times real time from files to captions", real_time, least=60)


def found(results: Results, **wanted: Any) -> Measurement | None:
    """The first measurement of a case with 10 s clips and these values."""
    wanted["seconds"] = 10.0
    fitting = (result for case, result in results.items() if wanted.items() <= asdict(case).items())
    return next(fitting, None)


def verdict(
    what: str, value: float, *, most: float = 0.0, least: float = 0.0, note: str = ""
) -> str:
    reached = value <= most if most else value >= least
    limit = f"at most {most:g}" if most else f"at least {least:g}"
    line = f"{'pass' if reached else 'MISS'}  {what:<42}{value:>9.2f}  {limit}"
    return f"{line} ({note})" if note else line
