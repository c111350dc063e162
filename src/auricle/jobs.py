"""Jobs: recordings -> sidecars, each exactly once, however often the work is interrupted.

examine: what is there to do? ──► claim: a row in the ledger ──► read and hash (threads, ahead)
  ──► the model ──► sidecars ──► the row says done or failed

A kill between two steps leaves a row that says "open", which the next run does again.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from auricle.audio.find import Input
from auricle.audio.lookahead import in_order
from auricle.audio.source import digest_of, read_hashed
from auricle.errors import AudioError
from auricle.ledger import Ledger, Row
from auricle.printable import printable
from auricle.sidecars import Formats, Outcome, Sidecars

if TYPE_CHECKING:
    from auricle.audio.kinds import AudioInput


class Why(StrEnum):
    """What a run does with a recording, and why."""

    new = "new"
    again = "done or failed before, and asked for again"
    interrupted = "begun before, but not finished"
    changed = "done before, but their content has changed"
    other = "done with another model or other settings"
    lost = "done before, but their sidecars are gone"
    retry = "failed before, and is tried again"
    failed = "failed before, and is left"
    done = "done before"

    @property
    def is_left(self) -> bool:
        return self in (Why.failed, Why.done)


@dataclass(frozen=True, slots=True)
class Examined:
    """``blocked``: a file that is no sidecar of this recording, but has its name."""

    one: Input
    why: Why
    blocked: str | None = None


@dataclass(slots=True)
class Task:
    """A recording to be done, with its row, which `source` completes."""

    one: Input
    row: Row

    def source(self) -> AudioInput:
        """The recording for a reader, hashed; called in the reading threads.

        Raises AudioError: the file cannot be read.
        """
        assert self.one.path
        size, mtime_ns = _stamp(self.one)
        self.row = replace(self.row, size=size, mtime_ns=mtime_ns)
        content, sound = read_hashed(self.one.path, self.one.name)
        self.row = replace(self.row, content=content)
        return sound


Doing: TypeAlias = Callable[[Iterator[Task]], Iterator[Outcome]]


@dataclass(frozen=True)
class Job:
    """What is done with every recording.

    Attributes:
        command: such as "caption".
        model: its name.
        settings: plain values that decide the result, save the model's own.
        formats: of the sidecars.
        start: loads the model, and returns what turns tasks into outcomes, in order, one each; it
            opens `Task.source`, takes tasks only as it needs them, and keeps none.
    """

    command: str
    model: str
    settings: Mapping[str, Any]
    formats: Formats
    start: Callable[[], Doing]


@dataclass(frozen=True)
class Batch:
    """Recordings of a job with their ledger and sidecars; ``work``: the job's number there."""

    command: str
    work: int | None
    ledger: Ledger
    sidecars: Sidecars

    def examine(
        self, inputs: Iterable[Input], again: bool = False, retry: bool = False
    ) -> Iterator[Examined]:
        """What is to be done with ``inputs``, in order: only files that have changed are read.

        ``again``: all; ``retry``: also what failed.
        """
        known = ((one, *self._known(one)) for one in inputs)
        for found, row in in_order(partial(self._examined, again, retry), known):
            if row and self.ledger.writable:
                self.ledger.put(row)
            yield found

    def run(self, inputs: Iterable[Input], work: Doing) -> Iterator[tuple[Input, Outcome]]:
        """Do ``inputs``: the outcome of each, in order, when its sidecars are written and its row
        says so.

        Raises OutputError: nothing can be written any more.
        """
        waiting: deque[Task] = deque()

        def tasks() -> Iterator[Task]:
            for one in inputs:
                waiting.append(Task(one, self._claimed(one)))
                yield waiting[-1]

        try:
            for outcome in work(tasks()):
                task = waiting.popleft()
                yield task.one, self._finished(task, outcome)
        except (MemoryError, RuntimeError) as error:
            if waiting:
                error.add_note(f"at {printable(waiting[0].one.name)} or a recording soon after it")
            raise

    def _known(self, one: Input) -> tuple[str, Row | None, str]:
        """A recording's whole path, its row, and the name of its sidecars."""
        assert one.path
        recording = os.path.abspath(one.path)  # noqa: PTH100  (keeps links apart)
        if row := self.ledger.find(self.command, recording):
            return recording, row, row.name
        name = first = self.sidecars.name(recording)
        number = 1
        while taken := self.ledger.named(self.command, name):
            if _has_moved(taken, one):
                if self.ledger.writable:
                    self.ledger.move(taken, recording)
                return recording, replace(taken, recording=recording), name
            number += 1
            name = f"{first}~{number}"
        return recording, None, name

    def _examined(
        self, again: bool, retry: bool, known: tuple[Input, str, Row | None, str]
    ) -> tuple[Examined, Row | None]:
        """The verdict; and the row with a new time, if the file has one without other content."""
        one, recording, row, name = known
        paths = self.sidecars.paths(recording, name)
        why, stamped = self._why(one, row, paths, again, retry)
        ours = row.sidecars if row else {}
        foreign = (path for path in paths if path not in ours and os.path.lexists(path))
        return Examined(one, why, None if why.is_left else next(foreign, None)), stamped

    def _why(
        self, one: Input, row: Row | None, paths: list[str], again: bool, retry: bool
    ) -> tuple[Why, Row | None]:
        if row is None:
            return Why.new, None
        if row.state == "open":
            return Why.interrupted, None
        if again:
            return Why.again, None
        if row.work != self.work:
            return Why.other, None
        stamped = None
        size, mtime_ns = _stamp(one)
        if (size, mtime_ns) != (row.size, row.mtime_ns):
            if _content(one) != row.content or row.content is None:
                return Why.changed, None
            stamped = replace(row, size=size, mtime_ns=mtime_ns)
        if row.state == "failed":
            return Why.retry if retry else Why.failed, stamped
        return Why.done if all(_holds(path, row) for path in paths) else Why.lost, stamped

    def _claimed(self, one: Input) -> Row:
        """A row that says "open" before anything is written."""
        recording, row, name = self._known(one)
        sidecars = dict.fromkeys(self.sidecars.paths(recording, name), 0)
        sidecars |= row.sidecars if row else {}
        row = Row(self.command, recording, name, "open", self.work, sidecars=sidecars)
        self.ledger.put(row)
        return row

    def _finished(self, task: Task, outcome: Outcome) -> Outcome:
        row = replace(task.row, finished=datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            if outcome.error:
                raise outcome.error
            paths = self.sidecars.paths(row.recording, row.name)
            sizes = self.sidecars.write(outcome, paths)
        except AudioError as error:
            row = replace(row, state="failed", reason=task.one.reason(error))
            outcome = replace(outcome, error=error)
        else:
            row = replace(
                row,
                state="done",
                duration_s=outcome.duration_s,
                caption="\n".join(caption.caption for caption in outcome.captions),
                sidecars={**row.sidecars, **sizes},
            )
        self.ledger.put(row)
        return outcome


def _stamp(one: Input) -> tuple[int | None, int | None]:
    """Size in bytes and time in ns of a file; None for both if it is gone."""
    try:
        assert one.path
        status = one.path.stat()
    except OSError:
        return None, None
    return status.st_size, status.st_mtime_ns


def _content(one: Input) -> str | None:
    """The digest of a file; None if it cannot be read."""
    assert one.path
    try:
        return digest_of(one.path, one.name)
    except AudioError:
        return None


def _has_moved(row: Row, one: Input) -> bool:
    """Whether a recording is that of ``row``, which is no longer where it was."""
    gone = not os.path.lexists(row.recording)
    return gone and row.content is not None and row.content == _content(one)


def _holds(path: str, row: Row) -> bool:
    """Whether a sidecar is there; after a power failure, a file may have lost its content."""
    try:
        return os.stat(path).st_size > 0 or not row.sidecars.get(path)  # noqa: PTH116
    except OSError:
        return False
