"""Wall and CPU seconds of the stages of captioning."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """The time of each stage; a stage inside another does not count for the outer one.

    ``wall_s`` and ``cpu_s`` are by stage; CPU seconds are of all threads, user and system.
    """

    def __init__(self) -> None:
        self.wall_s: dict[str, float] = {}
        self.cpu_s: dict[str, float] = {}
        self._running: list[str] = []
        self._last = _now()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        self._charge()
        self._running.append(stage)
        try:
            yield
        finally:
            self._charge()
            self._running.pop()

    def _charge(self) -> None:
        """Add the time since the last change to the running stage."""
        before, self._last = self._last, _now()
        if self._running:
            stage = self._running[-1]
            wall, cpu = (now - then for now, then in zip(self._last, before, strict=True))
            self.wall_s[stage] = self.wall_s.get(stage, 0.0) + wall
            self.cpu_s[stage] = self.cpu_s.get(stage, 0.0) + cpu


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
