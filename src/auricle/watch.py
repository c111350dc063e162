"""Progress and notes: what long work tells its caller. The library itself prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[str, int, int], None]  # stage, how much is done, of how much
UNKNOWN = 0  # of how much, where the total is not known
Note: TypeAlias = Callable[[str], None]  # one line that the user should read
OnSkip: TypeAlias = Callable[[str, str], None]  # "file:line" or id of a row, why it is left out


def silent(*_: Any) -> None:
    """The watcher that looks away: the default of every ``progress``, ``note`` and ``on_skip``."""


@dataclass(frozen=True)
class Watch:
    """Where long work reports to.

    Attributes:
        note: called with what the user should know.
        progress: called whenever more is done. A stage ends when all of it is done, or when the
            next one begins.
    """

    note: Note = silent
    progress: Progress = silent
