"""Processes that decode, and stand-ins for them that do harm."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from auricle.audio.decoder_process import packed
from tests.helpers.paths import EXAMPLES

RATE = 16_000
RAIN = EXAMPLES / "rain-and-thunder.ogg"
BEGUN = "import sys, time; say = lambda b: (sys.stdout.buffer.write(b), sys.stdout.flush());"
BEGUN += f"say({packed({})!r});"


def fake(then: str) -> tuple[str, ...]:
    """A command that begins as a decoder does, and then does something else."""
    return (sys.executable, "-c", f"{BEGUN} {then}")


def patched(opening: str) -> tuple[str, ...]:
    """The command of a decoder, which executes ``opening`` where it would open a file."""
    program = (
        "import auricle.audio.decoder_process as process\n"
        f"def opening(stream):\n    {opening}\n"
        "process.open_container = opening\n"
        "process.main()"
    )
    return (sys.executable, "-c", program)


def children() -> set[int]:
    """Processes that this one has started and that run."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, *_ = path.read_text().rpartition(")")[2].split()
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(path.parent.name))
    return found


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def eventually(happens: Callable[[], bool], within_s: float = 5.0) -> bool:
    give_up = time.monotonic() + within_s
    while not happens() and time.monotonic() < give_up:
        time.sleep(0.01)
    return happens()


def sound(seconds: float, rate_hz: int, channels: int = 1) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((round(seconds * rate_hz), channels))
    return (0.1 * noise).astype(np.float32)[:, slice(None) if channels > 1 else 0]
