"""Progress and notes: reports of long work to its caller. The library itself prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[str, int, int], None]  # stage, done, total
UNKNOWN = 0  # the total, if it is not known
Note: TypeAlias = Callable[[str], None]  # one line that the user should read
OnSkip: TypeAlias = Callable[[str, str], None]  # "file:line" or id of a row, why it is skipped


def silent(*_: Any) -> None:
    """Ignore the report: the default of every ``progress``, ``note`` and ``on_skip``."""


@dataclass(frozen=True)
class Watch:
    """The callables that long work reports to.

    Attributes:
        note: called with a line that the user should read.
        progress: called whenever more is done. A stage ends when all of it is done, or when the
            next stage begins.
    """

    note: Note = silent
    progress: Progress = silent
