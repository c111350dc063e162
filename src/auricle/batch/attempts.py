"""Attempts: what work has ended its process, noted in files, which outlive process and machine."""

from __future__ import annotations

import contextlib
import faulthandler
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

BEGIN, ERROR = "begin", "error "


class Attempts:
    """The attempts at one piece of work, in the file ``path``.

    Attributes:
        number: of those that ended their process.
        opened: id of the item that the last of them opened last; empty if it opened none.
        reason: why that ended, in one line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.number, self.opened, self.reason = lines.count(BEGIN), "", "its worker ended"
        if lines and lines[-1].startswith(ERROR):
            self.reason = lines[-1].removeprefix(ERROR)
        elif lines and lines[-1] != BEGIN:
            self.opened = lines[-1]

    def begin(self) -> None:
        self._note(BEGIN)

    def opens(self, item_id: str) -> None:
        self._note(item_id)

    def failed(self, reason: str) -> None:
        """Note why the process is to end."""
        self._note(f"{ERROR}{reason}")

    def succeeded(self) -> None:
        self._path.unlink(missing_ok=True)

    def _note(self, line: str) -> None:
        with self._path.open("a") as file:
            file.write(f"{line}\n")


@contextlib.contextmanager
def ended_after(silence_s: float) -> Iterator[Callable[[], None]]:
    """End this process if, for so many seconds, it neither calls what is yielded nor comes to the
    end of the block: whatever code hangs."""
    told = sys.__stderr__ or 2  # of which Ray keeps a log
    beat = partial(faulthandler.dump_traceback_later, silence_s, exit=True, file=told)
    beat()
    try:
        yield beat
    finally:
        faulthandler.cancel_dump_traceback_later()
