"""Lookahead: threads compute results in order, a little ahead of their reader."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from auricle.processors import usable

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    function: Callable[[T], R], items: Iterable[T], workers: int | None = None
) -> Generator[R]:
    """``function`` of each item, in order, computed by ``workers`` threads (by default one per
    processor), which run at most four items per thread ahead of the caller."""
    workers = workers or usable()
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # after an interruption, do not wait for the rest
            for future in waiting:
                future.cancel()
