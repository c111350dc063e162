"""The local engine: workers in processes of this machine.

A process that dies, or says nothing for too long, is replaced. If its driver dies, it ends itself.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, TypeAlias

from auricle.batch.items import Item, Opened, open_item
from auricle.batch.job import Chunk, ChunkDone, ChunkLost, JobSpec, Report
from auricle.errors import AuricleError, ModelError, in_one_line
from auricle.processors import share

if TYPE_CHECKING:
    from auricle.batch.worker import Worker

Start: TypeAlias = "Callable[[JobSpec], Worker] | None"

TIMEOUT_S = 300.0  # of silence, in which a worker would have heard a batch
BEGIN_S = 900.0  # in which a model is loaded
TRIES = 3  # of workers to begin, in a row
BEAT_S = 0.5  # at most so often does a worker say that it is alive


def run_local(
    job: JobSpec,
    chunks: Iterable[Chunk],
    workers: int = 1,
    timeout_s: float = TIMEOUT_S,
    start: Start = None,
) -> Generator[Report]:
    """An `Engine`: ``workers`` processes, each of which has a model and does a chunk at a time.

    ``timeout_s``: a worker that is silent for so long is ended, and its chunk is lost. ``start``:
    makes a worker in its process, by default the one of ``job``.
    """
    todo: Iterator[Chunk] = iter(chunks)
    crew: list[_Process] = []
    deaths = 0  # of workers before they began, in a row
    try:
        while True:
            for one in crew:
                if one.chunk is None and (chunk := next(todo, None)):
                    one.give(chunk)
            while len(crew) < workers and (chunk := next(todo, None)):
                crew.append(_Process(job, start))
                crew[-1].give(chunk)
            busy = [one for one in crew if one.chunk]
            if not busy:
                return
            wait([one.link for one in busy], timeout=1.0)
            for one in busy:
                for report in one.reports(timeout_s):
                    if one.has_begun:
                        deaths = 0
                        yield report
                        continue
                    assert isinstance(report, ChunkLost)
                    todo, deaths = chain([report.chunk], todo), deaths + 1  # it is not to blame
                    if deaths == TRIES:
                        raise ModelError(
                            f"{job.model}: workers end while they load it ({report.reason}); see"
                            " that the memory is enough, or give fewer --workers"
                        )
            crew = [one for one in crew if not one.has_ended]
    finally:
        for one in crew:
            one.end()


class _Process:
    """A process with a worker, as its driver sees it.

    Attributes:
        chunk: that it does, if any.
        has_begun: its model is loaded.
    """

    def __init__(self, job: JobSpec, start: Start) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.link, theirs = spawn.Pipe()
        alive, self._alive = spawn.Pipe(duplex=False)
        self._process = spawn.Process(target=_work, args=(job, start, theirs, alive), daemon=True)
        self._process.start()
        theirs.close()
        alive.close()
        self.chunk: Chunk | None = None
        self.has_begun = self.has_ended = False
        self._opening: dict[int, str] = {}  # what each thread opened last
        self._heard_s = time.monotonic()

    def give(self, chunk: Chunk) -> None:
        self.chunk, self._opening, self._heard_s = chunk, {}, time.monotonic()
        if self.has_begun:
            self._send()

    def reports(self, timeout_s: float) -> Iterator[Report]:
        """What it has said since the last call; after a loss, it has ended."""
        try:
            while self.chunk and self.link.poll():
                message = self.link.recv()
                self._heard_s = time.monotonic()
                if isinstance(message, BaseException):
                    raise message
                if isinstance(message, ChunkDone):
                    self.chunk = None
                    yield message
                elif isinstance(message, _Opening):
                    self._opening[message.thread] = message.id
                elif isinstance(message, _Broken):
                    yield self._lost(message.reason)
                elif not self.has_begun:
                    self.has_begun = True
                    self._send()
        except (EOFError, ConnectionError):
            self._process.join()
            yield self._lost(f"its worker ended ({_exit(self._process.exitcode)})")
            return
        limit_s = timeout_s if self.has_begun else max(timeout_s, BEGIN_S)
        if self.chunk and time.monotonic() - self._heard_s > limit_s:
            yield self._lost(f"its worker was ended, after {limit_s:g} s in which it did nothing")

    def end(self) -> None:
        self.has_ended = True
        self._process.kill()
        self._process.join()
        self.link.close()
        self._alive.close()

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # it has died: reading says so
            self.link.send(self.chunk)

    def _lost(self, reason: str) -> ChunkLost:
        chunk, self.chunk = self.chunk, None
        assert chunk
        self.end()
        return ChunkLost(chunk, reason, tuple(self._opening.values()))


@dataclass(frozen=True, slots=True)
class _Opening:
    """A thread of a worker opens an item; it is done with the one before."""

    thread: int
    id: str


@dataclass(frozen=True, slots=True)
class _Broken:
    """A worker met an error of its own with a chunk."""

    reason: str


def _exit(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _work(job: JobSpec, start: Start, link: Connection, alive: Connection) -> None:
    """The process of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the keyboard's interruption is for its driver
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    share(job.threads)
    speaking = threading.Lock()
    said_s = 0.0

    def say(message: Any) -> None:
        with speaking, contextlib.suppress(OSError):
            link.send(message)

    def beat() -> None:
        nonlocal said_s
        if time.monotonic() - said_s > BEAT_S:
            said_s = time.monotonic()
            say(None)

    def opener(item: Item) -> Opened:
        say(_Opening(threading.get_ident(), item.id))
        return open_item(item)

    try:
        from auricle.batch.worker import Worker

        worker = (start or Worker)(job)
        say(None)
        while True:
            say(worker.do(link.recv(), opener, beat))
    except EOFError:
        return
    except (AuricleError, OSError) as error:  # the same for every other chunk
        say(error)
    except Exception as error:
        say(_Broken(in_one_line(error)))


def _end_with(alive: Connection) -> None:
    """End this process when its driver has ended, however it ended."""
    with contextlib.suppress(EOFError, OSError):
        alive.recv()
    os._exit(1)
