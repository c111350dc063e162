"""Speed, memory and arithmetic of captioning, by stage, against two baselines and the targets.

    python benchmarks/decoding/run.py [--size tiny full] [--seconds 10 30] [--batch 1 16]
        [--precision float32 bf16 int8] [--baselines] [--profile]

Every case runs in its own process. GFLOP are those that the stage needs by formula (see floor.py;
for the baselines, those that they use); "of peak" is their rate as a share of the fastest matrix
product of the same process at the same precision. Memory is the peak of the process, with model and
libraries. Random weights at full size are the worst case: samples share no prefixes, and none ends
early.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from itertools import product

from cases import STAGES, Case, Measurement, measured
from targets import best_peaks, verdicts

HEADER = (
    f"{'size':<5}{'s':>3}{'batch':>6} {'precision':<10}{'engine':<9}{'stage':<8}"
    f"{'clips/s':>9}{'CPU-s/clip':>12}{'GFLOP/clip':>12}{'GFLOP/s':>9}{'of peak':>9}{'MB':>7}"
)


def main() -> None:
    arguments = parse()
    cores, busy = os.cpu_count(), os.getloadavg()[0]
    print(f"{cores} CPU cores, {busy:.1f} busy beforehand; {arguments.candidates} candidates")
    print(HEADER, flush=True)
    results: dict[Case, Measurement] = {}
    for case in cases(arguments):
        results[case] = measured(case)
        show(case, results[case])
        if results[case].profile:
            print(results[case].profile)
    peaks = [f"{name} {wall:.0f}" for name, (wall, _) in best_peaks(results).items()]
    print(f"\nBest matrix products, GFLOP/s: {', '.join(peaks)}")
    print("Targets (10 s clips)")
    for verdict in verdicts(results):
        print(verdict)


def cases(arguments: argparse.Namespace) -> list[Case]:
    shape = Case("", candidates=arguments.candidates, runs=arguments.runs)
    ours = [
        replace(shape, size=size, precision=precision, seconds=seconds, batch=batch)
        for size, precision, seconds, batch in product(
            arguments.size, arguments.precision, arguments.seconds, arguments.batch
        )
    ]
    ours = [replace(case, profile=arguments.profile and case.batch == 1) for case in ours]
    others = [
        replace(shape, size=size, seconds=arguments.seconds[0], engine=engine, runs=1)
        for size, engine in product(arguments.size, ("slow", "hf"))
    ]
    pipeline = [Case("tiny", batch=16, engine="pipeline", candidates=20)]
    return [
        *ours,
        *(others if arguments.baselines else []),
        *(pipeline if "tiny" in arguments.size else []),
    ]


def show(case: Case, found: Measurement) -> None:
    stages = {name: found.stages[name] for name in STAGES if name in found.stages}
    head = f"{case.size:<5}{case.seconds:>3g}{case.batch:>6} {case.precision:<10}{case.engine:<9}"
    for name, stage in {**stages, "all": found.whole}.items():
        line = f"{name:<8}{case.batch / stage.wall_s:>9.2f}{stage.cpu_s / case.batch:>12.2f}"
        if stage.flops:
            rate = stage.flops / stage.wall_s / 1e9
            needed = stage.flops / case.batch / 1e9
            line += f"{needed:>12.2f}{rate:>9.1f}{rate / found.wall_peak:>9.1%}"
        memory = f"{found.memory_mb:>7.0f}" if name == "all" else ""
        print(f"{head}{line:<59}{memory}", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", nargs="+", choices=("tiny", "full"), default=["tiny", "full"])
    parser.add_argument("--seconds", nargs="+", type=float, default=[10.0, 30.0])
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 16])
    parser.add_argument(
        "--precision", nargs="+", choices=("float32", "bf16", "int8"), default=["float32"]
    )
    parser.add_argument("--candidates", type=int, default=50)
    parser.add_argument("--runs", type=int, default=2, help="the quickest counts")
    parser.add_argument("--baselines", action="store_true", help="minutes at full size")
    parser.add_argument("--profile", action="store_true", help="operators of batch 1")
    return parser.parse_args()


if __name__ == "__main__":
    main()
