"""Cases and measurements: records that processes exchange as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

STAGES = ("encode", "search", "score")


@dataclass(frozen=True)
class Case:
    """One benchmark case. ``engine``: "auricle", "slow" (the published way), "hf" (Hugging Face
    `generate`) or "pipeline" (from files to captions, with the text embedder)."""

    size: str
    seconds: float = 10.0
    batch: int = 1
    precision: str = "float32"
    engine: str = "auricle"
    candidates: int = 50
    runs: int = 1
    profile: bool = False


@dataclass(frozen=True)
class Stage:
    """The cost of a stage; ``flops``: its arithmetic, by formula."""

    wall_s: float
    cpu_s: float
    flops: int


@dataclass(frozen=True)
class Measurement:
    """The stages of the fastest run by name, for the whole batch.

    ``memory_mb`` is the peak memory of the process, with model and libraries. The peaks are of
    matrix products at the case's precision in the same process, in GFLOP per second of wall time
    and of CPU time.
    """

    stages: dict[str, Stage]
    memory_mb: float
    wall_peak: float
    cpu_peak: float
    profile: str = ""

    @property
    def whole(self) -> Stage:
        parts = self.stages.values()
        return Stage(
            sum(part.wall_s for part in parts),
            sum(part.cpu_s for part in parts),
            sum(part.flops for part in parts),
        )


def measured(case: Case) -> Measurement:
    """``case`` in a process of its own.

    Raises:
        subprocess.CalledProcessError: the process failed; its message is on stderr.
    """
    program = str(Path(__file__).with_name("measure.py"))
    command = [sys.executable, program, json.dumps(asdict(case))]
    process = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(process.stdout.splitlines()[-1])
    found["stages"] = {name: Stage(**stage) for name, stage in found["stages"].items()}
    return Measurement(**found)
