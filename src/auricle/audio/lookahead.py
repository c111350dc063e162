"""Lookahead: threads compute results in order, a little ahead of their reader."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, wait
from queue import Queue, SimpleQueue
from threading import Event, Thread
from typing import TypeAlias, TypeVar

from auricle.processors import usable

T = TypeVar("T")
R = TypeVar("R")
Jobs: TypeAlias = "SimpleQueue[tuple[Future[R], T] | None]"

PATIENCE_S = 1.0  # after an interruption, for what is computed; a download may take minutes


def in_order(
    function: Callable[[T], R],
    items: Iterable[T],
    workers: int | None = None,
    most: int | None = None,
) -> Generator[R]:
    """``function`` of each item, in order, computed by ``workers`` threads (by default one per
    processor), which run at most ``most`` items ahead of the caller, by default four per thread.

    The threads do not keep the process alive, as those of an executor do."""
    workers = workers or usable()
    most = most or 4 * workers
    jobs: Jobs[R, T] = SimpleQueue()
    waiting: deque[Future[R]] = deque()
    started = 0
    try:
        for item in items:
            waiting.append(Future())
            jobs.put((waiting[-1], item))
            if started < workers:
                Thread(target=_work, args=(function, jobs), daemon=True).start()
                started += 1
            if len(waiting) >= most:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    finally:  # after an interruption, do not wait for the rest
        running = [future for future in waiting if not future.cancel()]
        for _ in range(started):
            jobs.put(None)
        wait(running, PATIENCE_S)


def _first(waiting: deque[Future[R]]) -> R:
    result = waiting[0].result()  # in its place meanwhile, as one of those that are computed
    waiting.popleft()
    return result


def _work(function: Callable[[T], R], jobs: Jobs[R, T]) -> None:
    while job := jobs.get():
        future, item = job
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function(item))
            except BaseException as error:
                future.set_exception(error)


def ahead(items: Iterable[T], most: int) -> Generator[T]:
    """``items``, computed by a thread that runs at most ``most`` of them ahead of the caller."""
    waiting: Queue[tuple[T | None, BaseException | None]] = Queue(most)
    stopped = Event()

    def work() -> None:
        try:
            for item in items:
                waiting.put((item, None))
                if stopped.is_set():
                    return
            waiting.put((None, None))
        except BaseException as error:
            waiting.put((None, error))

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        while thread.is_alive() and not waiting.empty():
            waiting.get_nowait()
        thread.join(PATIENCE_S)
