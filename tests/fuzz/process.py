"""A process that reads inputs under limits, and is replaced when it dies or hangs."""

from __future__ import annotations

import os
import resource
import signal
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from tests.fuzz.judge import HANG_S, Outcome, judged
from tests.fuzz.reader import reader

ADDRESSES = 3 * 2**30  # bytes; libraries take half of them before the first input
BLOCKED_S = 60.0  # of time, in which a busy machine gives a process some
BROKEN = ("hang", "memory", "MemoryError", "PanicException")  # after which it may be of no use
VARIABLES = {  # threads of libraries only cost here; nothing is fetched
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}


class Process:
    """Reads inputs for the reader ``name``; a context manager."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: Any = None
        self._link: Connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def outcome(self, path: Path) -> Outcome:
        if self._process is None:
            self._begin()
        try:
            self._link.send(path)
            if not self._answers():
                self._end()
                return Outcome("hang", f"over {HANG_S:g} s of processor time", HANG_S)
            found: Outcome = self._link.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self._end()
            return Outcome("crash", f"exit code {code}")
        if found.kind in BROKEN:
            self._end()
        return found

    def _begin(self) -> None:
        os.environ |= VARIABLES
        context = get_context("spawn")
        self._link, end = context.Pipe()
        self._process = context.Process(target=_work, args=(end, self._name), daemon=False)
        self._process.start()
        end.close()
        self._link.recv()  # it is ready

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._link.close()
        self._process = None

    def _answers(self) -> bool:
        before, began = self._processor_s(), time.monotonic()
        while not (there := self._link.poll(0.5)):
            late = time.monotonic() - began > BLOCKED_S
            if late or self._processor_s() - before > HANG_S:
                break
        return there

    def _processor_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(link: Connection, name: str) -> None:
    """Read the inputs whose paths arrive, and send back what came of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent ends it
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write there
    found = reader(name)
    link.send("ready")
    while True:
        try:
            path = link.recv()
        except EOFError:
            return
        link.send(judged(found, path))
