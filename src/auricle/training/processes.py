"""The processes of a run: shares of what they prepare, waits for each other, the loss of one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

from torch import distributed

from auricle.errors import AuricleError, TrainingError, in_one_line

T = TypeVar("T")

STEP = timedelta(minutes=15)  # a process whose step takes longer is lost: its machine, for example
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PATIENCE = timedelta(hours=6)  # for the one that prepares data or validates


@dataclass(frozen=True)
class Share:
    """One process's part of work that ``world`` processes divide between them."""

    rank: int = 0
    world: int = 1

    @classmethod
    def ours(cls) -> Share:
        """That of this process."""
        if not _several():
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def main(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def has(self, key: str) -> bool:
        """Whether a hexadecimal ``key`` of 8 digits or more falls into this part."""
        return int(key[:8], 16) % self.world == self.rank

    def first(self, count: int) -> int:
        """Place among ``count`` items where this part begins."""
        return count * self.rank // self.world


def from_all(value: T) -> list[T]:
    """``value`` of every process, by rank, once all of them have called this: they wait for
    `PATIENCE`."""
    if not _several():
        return [value]
    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value, group=_patient(distributed.group.WORLD))
    return values


@contextlib.contextmanager
def main_first() -> Iterator[None]:
    """The block runs in the main process, then in the others."""
    main = Share.ours().main
    if not main:
        from_all(None)
    yield
    if main:
        from_all(None)


@contextlib.contextmanager
def told_if_lost() -> Iterator[None]:
    """Raises TrainingError where another process of the run has ended or does not answer."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, AuricleError) or not _several() or not _of_connections(error):
            raise
        raise TrainingError(
            f"process {distributed.get_rank()} of {distributed.get_world_size()} ends, because"
            f" another one has ended or does not answer ({in_one_line(error)}); see what that one"
            " said, and go on with --resume"
        ) from error


def launch(arguments: Sequence[str], processes: int, threads: int) -> int:
    """Run `auricle` with ``arguments`` in several processes on this machine, each on its own GPU
    or, without any, on so many ``threads``; the first exit code that is not 0."""
    import torch

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "OMP_NUM_THREADS": str(threads),
    }
    if torch.cuda.device_count() < processes:
        environment["ACCELERATE_USE_CPU"] = "true"
    running: list[subprocess.Popen] = []
    try:
        for rank in map(str, range(processes)):
            place = {"RANK": rank, "LOCAL_RANK": rank}
            command = [sys.executable, "-m", "auricle", *arguments]
            running.append(subprocess.Popen(command, env=environment | place))
        return next(filter(None, [process.wait() for process in running]), 0)
    finally:
        for process in running:
            process.terminate()


def end_with_parent(_: int = 0) -> None:
    """End this process at once when its parent is killed (Linux): a loader's worker has copies of
    the run's connections, and the other processes would wait until they are closed."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _of_connections(error: RuntimeError) -> bool:
    """Gloo raises a plain RuntimeError."""
    return isinstance(error, distributed.DistError) or bool(
        re.search("gloo|nccl|connection (closed|reset)|broken pipe", str(error), re.IGNORECASE)
    )


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()


@cache
def _patient(world: Any) -> Any:
    """A group of all processes beside ``world`` whose calls may take `PATIENCE`."""
    return distributed.new_group(backend="gloo", timeout=PATIENCE)
