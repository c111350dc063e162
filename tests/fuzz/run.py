"""A long run: mutated inputs through the readers, in a process with limits.

    python -m tests.fuzz.run [--reader all] [--inputs 200000] [--seed 1] [--keep FOLDER]
    python -m tests.fuzz.run --reader audio --seed 1 --case 4711

Prints a line for each fault, which ``--case`` repeats with a traceback, and a table. The status is
1 if there is a fault. ``--keep``: where the inputs of faults are kept, for the corpus.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.judge import FINE, Outcome
from tests.fuzz.process import VARIABLES, Process
from tests.fuzz.reader import SHARES, Reader, reader


@dataclass
class Tally:
    """What came of the inputs of one reader."""

    name: str
    inputs: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    most_mb: float = 0.0

    def add(self, number: int, found: Outcome) -> None:
        self.inputs += 1
        self.refused += found.kind == "refused"
        self.slowest_s = max(self.slowest_s, found.seconds)
        self.most_mb = max(self.most_mb, found.peak_mb)
        if found.kind not in FINE:
            self.faults.append(f"{self.name} {number}: {found.kind}: {found.detail}")

    def __str__(self) -> str:
        share = self.refused / max(1, self.inputs)
        return (
            f"| {self.name:<11} | {self.inputs:>7,} | {share:>7.0%} | {len(self.faults):>6} "
            f"| {self.slowest_s:>9.2f} | {self.most_mb:>8.0f} |"
        )


HEAD = "| reader      |  inputs | refused | faults | slowest s | most MB |\n" + "|---" * 6 + "|"


def written(found: Reader, seed: int, number: int, folder: Path) -> Path:
    """The input ``number`` of a reader, in an empty ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return found.write(Random(f"{seed} {number}"), folder)


def outcomes(
    name: str, numbers: range, seed: int, keep: Path | None = None
) -> Iterator[tuple[int, Outcome]]:
    """(number, outcome) of each input of a reader."""
    found = reader(name)
    with tempfile.TemporaryDirectory(prefix="auricle-fuzz-") as place, Process(name) as process:
        for number in numbers:
            path = written(found, seed, number, Path(place, "case"))
            outcome = process.outcome(path)
            if keep and outcome.kind not in FINE:
                to = keep / name / f"{seed}-{number}"
                shutil.rmtree(to, ignore_errors=True)
                with contextlib.suppress(OSError):  # pipes cannot be copied
                    shutil.copytree(Path(place, "case"), to, symlinks=True)
            yield number, outcome


def tallied(name: str, inputs: int, seed: int, keep: Path | None = None) -> Tally:
    tally = Tally(name)
    for number, outcome in outcomes(name, range(inputs), seed, keep):
        tally.add(number, outcome)
    return tally


def shared_out(names: list[str], inputs: int) -> dict[str, int]:
    """``inputs`` among the readers, by their shares."""
    whole = sum(SHARES[name] for name in names)
    return {name: max(1, round(inputs * SHARES[name] / whole)) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reader", action="append", choices=["all", *SHARES])
    parser.add_argument("--inputs", type=int, default=200_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--case", type=int, metavar="NUMBER", help="one input, with its traceback")
    given = parser.parse_args()
    names = list(given.reader or ["all"])
    names = list(SHARES) if "all" in names else names
    os.environ |= VARIABLES
    if given.case is not None:
        _show(names[0], given.seed, given.case)
        return
    began, tallies = time.monotonic(), []
    for name, inputs in shared_out(names, given.inputs).items():
        tallies.append(tallied(name, inputs, given.seed, given.keep))
        for fault in tallies[-1].faults:
            print(fault, flush=True)
        print(tallies[-1], flush=True)
    print(f"\nseed {given.seed}, {time.monotonic() - began:,.0f} s\n{HEAD}")
    for tally in tallies:
        print(tally)
    faults = sum(len(tally.faults) for tally in tallies)
    print(f"{sum(tally.inputs for tally in tallies):,} inputs, {faults} faults")
    sys.exit(bool(faults))


def _show(name: str, seed: int, number: int) -> None:
    found = reader(name)
    with tempfile.TemporaryDirectory(prefix="auricle-fuzz-") as place:
        path = written(found, seed, number, Path(place, "case"))
        print(path)
        print("read:", found.read(path))


if __name__ == "__main__":
    main()
