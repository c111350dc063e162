"""Isolated recordings: their codecs run in processes of their own, which may crash, hang or lie.

    with Decoders() as decoders:
        captioner.caption(decoders.source(path, "rain.mp3"))

A process decodes one recording at a time (decoder_process.py). Of what it answers, all is checked.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from auricle.audio.decoder_process import KINDS, LENGTH, Header, packed
from auricle.errors import DecoderDied, reason
from auricle.processors import THREADS, usable
from auricle.schema import build

MEMORY_BYTES = 2**30
WAIT_S, TOTAL_S = 30.0, 120.0
SLOWEST = 10.0  # seconds of sound for one of waiting, on the average
RECORDINGS = 100  # of one process
MOST_JSON = 2**20  # bytes
FAILURES = (EOFError, OSError, ValueError)  # of a process
# Variables that Python and the libraries of codecs need; others may hold secrets.
KEPT = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONUTF8"),
    *("LANG", "LC_ALL", "LC_CTYPE"),  # the encoding of paths
)


@dataclass(frozen=True)
class Isolated:
    """The recording ``path``, which a process of ``decoders`` reads; messages and records say
    ``name``. A kind of `AudioInput`."""

    path: Path
    name: str
    decoders: Decoders = field(repr=False)

    def open_reader(self) -> IsolatedReader:
        return IsolatedReader(self.decoders, self.path, self.name)


class Decoders:
    """Processes that decode recordings, started as they are needed; threads may share it.

    Args:
        processes: that wait for the next recording, by default one per processor; at any time,
            there are as many others as recordings are open.
        memory_bytes: address space of a process.
        wait_s: for one answer, which has about a megabyte of samples.
        total_s: of waiting for the answers about one recording; of a long one, longer: it must be
            decoded `SLOWEST` times as fast as it plays.
        command: that starts a process.
        on_death: called when ``deaths`` grows, from any thread.

    Attributes:
        deaths: processes that crashed, or were ended because they broke a limit.
    """

    def __init__(
        self,
        processes: int | None = None,
        memory_bytes: int = MEMORY_BYTES,
        wait_s: float = WAIT_S,
        total_s: float = TOTAL_S,
        command: Sequence[str] = (sys.executable, "-P", "-m", "auricle.audio.decoder_process"),
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self.memory_bytes, self.wait_s, self.total_s, self.deaths = memory_bytes, wait_s, total_s, 0
        self._on_death = on_death
        self._most = usable() if processes is None else processes
        self._command = [*command, str(memory_bytes), str(wait_s)]
        self._idle: list[Process] = []
        self._lock = Lock()

    def source(self, path: Path, name: str) -> Isolated:
        return Isolated(path, name, self)

    def take(self, name: str) -> Process:
        """A process that decodes the recording ``name``. Raises DecoderDied: none can begin."""
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                break
            if process.is_fit:
                return process
            process.end()
        try:
            return Process(self._command, self.wait_s)
        except FAILURES as error:
            self.count_death()
            raise DecoderDied(
                f"{name}: no process that decodes it can begin ({reason(error)}); run"
                f" {shlex.join(self._command)} to see why"
            ) from error

    def give(self, process: Process) -> None:
        """A process whose recording is closed."""
        process.recordings += 1
        with self._lock:
            kept = process.is_fit and len(self._idle) < self._most
            if kept:
                self._idle.append(process)
        if not kept:
            process.end()

    def count_death(self) -> None:
        with self._lock:
            self.deaths += 1
        self._on_death()

    def close(self) -> None:
        """End the processes; those of open recordings, when these are closed."""
        with self._lock:
            self._most, idle, self._idle = 0, self._idle, []
        for process in idle:
            process.end()

    def __enter__(self) -> Decoders:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class IsolatedReader:
    """A `Reader` of a recording that another process decodes; threads may share it.

    All but ``close`` raise DecoderDied, and what the reader in that process raises.
    """

    format = ""

    def __init__(self, decoders: Decoders, path: Path, name: str) -> None:
        self._decoders, self._name, self._left_s = decoders, name, decoders.total_s
        self._lock, self._ended = Lock(), f"{name}: its decoder has ended; open it again"
        self._process: Process | None = decoders.take(name)
        try:
            self.rate_hz = int(self._ask("open", os.fspath(path), name).number)
        except BaseException:
            self.close()
            raise

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        self._ask("blocks", start)
        return self._read()

    def _read(self) -> Iterator[np.ndarray]:
        while blocks := self._ask("more").blocks:
            self._left_s += sum(map(len, blocks)) / max(1, self.rate_hz) / SLOWEST
            yield from blocks

    def duration_s(self) -> float:
        return self._ask("duration_s").number

    def declared_s(self) -> float:
        return self._ask("declared_s").number

    def close(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            if process is None:
                return
            try:
                if process.is_fit:
                    process.ask(self._decoders.wait_s, "close")
            except FAILURES:  # all that was wanted has been read
                self._decoders.count_death()
            self._decoders.give(process)

    def _ask(self, *request: Any) -> Answer:
        with self._lock:
            if self._process is None:
                raise DecoderDied(self._ended)
            began, limit_s = time.monotonic(), min(self._decoders.wait_s, self._left_s)
            try:
                answer = self._process.ask(limit_s, *request)
            except FAILURES as error:
                self._process = None  # it has been ended
                self._decoders.count_death()
                why = self._why(error, limit_s)
                self._ended = f"{self._name}: {why}; convert it, for example to wav"
                raise DecoderDied(self._ended) from error
            finally:
                self._left_s -= time.monotonic() - began
        answer.check()
        return answer

    def _why(self, error: Exception, limit_s: float) -> str:
        decoders = self._decoders
        if isinstance(error, TimeoutError):
            if limit_s < decoders.wait_s:
                return f"its decoder took longer than {decoders.total_s:g} s in all"
            return f"its decoder took longer than {decoders.wait_s:g} s"
        if isinstance(error, ValueError):
            return "its decoder gave no answer that can be used"
        most = f"{decoders.memory_bytes / 2**30:.3g} GiB of memory"
        return f"its decoder crashed, or needed more than {most}"


@dataclass(frozen=True, eq=False)
class Answer:
    """What a process answers: Hz or seconds, or blocks, float32 [n, channels]; or an error."""

    number: float
    blocks: tuple[np.ndarray, ...]
    error: str
    message: str

    def check(self) -> None:
        """Raise the error, if it is one."""
        if self.error:
            raise KINDS[self.error](self.message)


class Process:
    """A process that decodes one recording after the other; ``recordings``: their number.

    ``wait_s``: until it must have begun. Its methods raise TimeoutError; EOFError or another
    OSError: it has died; ValueError: what it says is no answer. After each, it has ended.
    """

    def __init__(self, command: Sequence[str], wait_s: float) -> None:
        self.recordings, self._met_error = 0, False
        self._link, theirs = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None
        with self._ended_by_failure(), theirs:
            self._process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # the keyboard's interruption is for its parent
            )
            theirs.close()  # so that its end is noticed
            self._receive(time.monotonic() + wait_s)

    @property
    def is_fit(self) -> bool:
        """Whether it can be used. Codecs leak, and broken data may leave them broken."""
        if self._process is None or self._process.poll() is not None:
            return False
        return not self._met_error and self.recordings < RECORDINGS

    def ask(self, wait_s: float, *request: Any) -> Answer:
        deadline = time.monotonic() + wait_s
        with self._ended_by_failure():
            self._link.settimeout(_left_s(deadline))
            self._link.sendall(packed(request))
            answer = self._receive(deadline)
        self._met_error |= bool(answer.error)
        return answer

    def end(self) -> None:
        self._link.close()
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def _ended_by_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:  # an interruption, too: its answer would be taken for the next one
            self.end()
            raise

    def _receive(self, deadline: float) -> Answer:
        (size,) = LENGTH.unpack(self._bytes(LENGTH.size, deadline))
        if size > MOST_JSON:
            raise ValueError(f"a header of {size} bytes")
        try:
            values = json.loads(bytes(self._bytes(size, deadline)))
            header = build(Header, dict(values), "a decoder's answer")
        except (RecursionError, TypeError) as error:
            raise ValueError("no header") from error
        samples = np.asarray(self._bytes(header.sample_bytes, deadline)).view(np.float32)
        blocks, place = [], 0
        for frames, channels, planar in header.shapes:
            block = samples[place : place + frames * channels]
            place += len(block)
            shape = (channels, frames) if planar else (frames, channels)
            blocks.append(block.reshape(shape).T if planar else block.reshape(shape))
        return Answer(header.number, tuple(blocks), header.error, header.message)

    def _bytes(self, size: int, deadline: float) -> memoryview:
        """The next ``size`` bytes."""
        data, place = np.empty(size, np.uint8).data, 0  # takes no memory until it is filled
        while place < size:
            self._link.settimeout(_left_s(deadline))
            count = self._link.recv_into(data[place:])
            if not count:
                raise EOFError("it has ended")
            place += count
        return data


def _left_s(deadline: float) -> float:
    """Raises TimeoutError: nothing is left."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("it does not answer")
    return left_s


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path)
    return kept | {"PYTHONPATH": paths, THREADS: "1"}
