"""The status of a generation: rows done, tokens and their cost, time left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from auricle.llm.cost import TokenCount
from auricle.watch import silent


@dataclass(frozen=True, slots=True)
class GenerationStatus:
    """The state of a generation: of ``total`` rows, ``done`` are in the file, ``made`` of them by
    this run; ``failed`` pairs are left for the next run.

    ``tokens``: of this run so far; ``expected``: of the whole run; ``per_s``: rows per second.
    """

    done: int
    total: int
    made: int
    failed: int
    retries: int
    tokens: TokenCount
    expected: TokenCount
    seconds: float

    @property
    def per_s(self) -> float:
        return self.made / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None before the first row."""
        left = self.total - self.done - self.failed
        return left / self.per_s if self.made else None


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a run: rows ``found`` in the file, rows ``made``, pairs that ``failed`` by
    reason, and pairs ``skipped`` because they cannot be mixed."""

    found: int
    made: int
    failed: Counter[str]
    skipped: Counter[str]
    retries: int
    tokens: TokenCount
    seconds: float

    @property
    def complete(self) -> bool:
        return not self.failed


OnProgress = Callable[[GenerationStatus], None]


class Meter:
    """A counter of a run's rows, failures and tokens, reported to ``progress``."""

    def __init__(
        self, total: int, found: int, expected: TokenCount, progress: OnProgress = silent
    ) -> None:
        self._start_s = time.monotonic()
        self._progress = progress
        self._failed: Counter[str] = Counter()
        self._found = found
        self._now = GenerationStatus(found, total, 0, 0, 0, TokenCount(), expected, 0.0)
        self._tell()

    @property
    def done(self) -> int:
        """Rows in the file."""
        return self._now.done

    def made_row(self, tokens: TokenCount, retries: int) -> None:
        now = self._now
        spent, made = now.tokens.plus(tokens), now.made + 1
        left = now.total - now.done - 1 - now.failed
        expected = spent.plus(spent, left / made)
        self._now = replace(
            now, done=now.done + 1, made=made, retries=retries, tokens=spent, expected=expected
        )
        self._tell()

    def gave_up(self, reason: str, retries: int) -> None:
        self._failed[reason] += 1
        self._now = replace(self._now, failed=self._now.failed + 1, retries=retries)
        self._tell()

    def summary(self, skipped: Counter[str] | None = None) -> Summary:
        now, seconds = self._now, time.monotonic() - self._start_s
        return Summary(
            self._found, now.made, self._failed, skipped or Counter(),
            now.retries, now.tokens, seconds,
        )  # fmt: skip

    def _tell(self) -> None:
        self._now = replace(self._now, seconds=time.monotonic() - self._start_s)
        self._progress(self._now)
