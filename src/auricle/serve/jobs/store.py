"""The store of jobs: what clients ordered and what came of it, in one SQLite file.

A job is a row; what its clients see of it is its events. Status, partial result and the stream of
events are read from these alone, and an event is on the disk before a client sees it. The numbers
of a job's events grow and are never used again, also when it begins anew: a client that continues
after a number misses nothing and gets nothing twice.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from auricle.database import transaction
from auricle.errors import DataError, OutputError
from auricle.locks import lock
from auricle.serve.jobs.rows import COLUMNS, TABLES, UNFINISHED, Event, Job, State
from auricle.serve.problems import RequestError
from auricle.serve.uploads import Upload

NAME = "jobs.sqlite"
FORMAT, VERSION = 0x61756A6F, 1  # SQLite's application_id ("aujo") and user_version
TIMES = 3  # a job is begun at most, if the service ends each time
COME_AGAIN_S = 60.0
TOGETHER = 32  # events that are read at once

# Kind of the events -> where they stand in a result.
LISTS = {"caption": "captions", "timeline": "timeline", "words": "words", "note": "notes"}
SINGLE = "picture"


class NotRunningError(Exception):
    """A job is not in work any more: it was cancelled, erased or handed back."""


class Store:
    """The jobs in ``folder``, which no other process may use meanwhile; a context manager.

    Opening it queues again what was running when its process ended.

    Args:
        keep_s: a finished job expires after it.
        max_jobs, max_bytes: of the jobs that are not finished, and of their uploads together.
        clock: seconds since 1970.

    Raises:
        DataError: another process uses the folder, or its file is damaged or of a newer version.
        OutputError: it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        keep_s: float = 24 * 3600.0,
        max_jobs: int = 256,
        max_bytes: float = float("inf"),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keep_s, self._max_jobs, self._max_bytes = keep_s, max_jobs, max_bytes
        self._clock, self._lock = clock, threading.Lock()
        self._uploads = folder / "uploads"
        with contextlib.ExitStack() as stack:
            try:
                folder.mkdir(0o700, parents=True, exist_ok=True)
                self._uploads.mkdir(0o700, exist_ok=True)
                alone = stack.enter_context((folder / "jobs.lock").open("ab"))
            except OSError as error:
                raise OutputError(
                    f"{folder}: cannot be written ({error.strerror}); allow it, or name another"
                    " folder by --data"
                ) from error
            if not lock(alone):
                raise DataError(
                    f"{folder}: another auricle serve works with it; end that one, or give this"
                    " one a folder of its own by --data"
                )
            try:
                self._database = sqlite3.connect(
                    folder / NAME, isolation_level=None, check_same_thread=False
                )
                stack.callback(self._database.close)
                self._prepare(folder / NAME)
                self._recover()
            except sqlite3.Error as error:
                raise DataError(
                    f"{folder / NAME}: cannot be used ({error}); make room or move it away, then"
                    " start again"
                ) from error
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """What is written later raises sqlite3.ProgrammingError."""
        with self._lock:
            self._open.close()

    def add(self, request: str, upload: Upload) -> Job:
        """A new job at the end of the queue, which takes the file of ``upload``; it is on the disk
        when this returns. ``request``: JSON, with the keys task and model.

        Raises:
            RequestError: too many jobs or bytes wait, or the disk is full.
        """
        job_id = secrets.token_urlsafe(18)
        kept = self.upload_path(job_id)
        try:
            shutil.move(upload.path, kept)
            size = kept.stat().st_size
            with self._change() as run:
                self._check_room(size)
                run(
                    "INSERT INTO jobs (id, audio, request, state, bytes, created)"
                    " VALUES (?, ?, ?, 'queued', ?, ?)",
                    (job_id, upload.name, request, size, self._clock()),
                )
                return self._told("state", job_id)
        except BaseException as error:
            kept.unlink(missing_ok=True)
            if isinstance(error, sqlite3.OperationalError | OSError):
                raise RequestError(
                    503,
                    "storage_full",
                    "the service cannot store the job: its disk is full or fails; come again later",
                    retry_after_s=COME_AGAIN_S,
                ) from error
            raise

    def upload_path(self, job_id: str) -> Path:
        return self._uploads / job_id

    def find(self, job_id: str) -> Job | None:
        """None if there is no such job, or if it has expired."""
        with self._lock:
            return self._find(job_id)

    def with_result(self, job_id: str) -> tuple[Job, str] | None:
        """A job, and what came of it so far, as JSON."""
        with self._lock:
            job = self._find(job_id)
            return (job, self._result(job)) if job else None

    def events(self, job: Job, after: int) -> list[Event]:
        """The next events of a job, whose numbers are larger than ``after``."""
        query = "SELECT number, kind, data FROM events WHERE job = ? AND number > ?"
        values = (job.number, after, TOGETHER)
        with self._lock:
            rows = self._database.execute(f"{query} ORDER BY number LIMIT ?", values)
            return [Event(*row) for row in rows]

    def claim(self) -> Job | None:
        """The first job of the queue, which is running now; None if there is none."""
        with self._change() as run:
            found = run(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, started = ?"
                " WHERE number = (SELECT min(number) FROM jobs WHERE state = 'queued')"
                " RETURNING id",
                (self._clock(),),
            ).fetchone()
            return self._told("state", found[0]) if found else None

    def write(self, job: Job, kind: str, data: Any) -> None:
        """Add an event of a running job; ``data``: plain values.

        Raises NotRunningError: the job is not running any more.
        """
        text = _json(data)
        with self._change():
            self._running(job)
            self._append(job.number, kind, text)

    def measured(self, job: Job, duration_s: float) -> None:
        """The length of a running job's recording is known.

        Raises NotRunningError: as `write`.
        """
        with self._change() as run:
            if self._running(job).duration_s != duration_s:
                run("UPDATE jobs SET duration_s = ? WHERE number = ?", (duration_s, job.number))
                self._told("state", job.id)

    def finish(self, job: Job, state: State, error: dict[str, str] | None = None) -> None:
        """Raises NotRunningError: as `write`."""
        with self._change():
            self._running(job)
            self._end(job.id, state, error)
        self._discard(job.id)

    def cancel(self, job_id: str) -> Job | None:
        """A job that is not finished becomes cancelled; None if there is no such one."""
        with self._change():
            job = self._find(job_id)
            if job is None or job.is_finished:
                return None
            job = self._end(job_id, "cancelled")
        self._discard(job_id)
        return job

    def erase(self, job_id: str) -> bool:
        """Erase a job with all that came of it; whether there was one."""
        with self._change() as run:
            job = self._find(job_id)
            if job is None:
                return False
            run("DELETE FROM jobs WHERE number = ?", (job.number,))
        self._discard(job_id)
        return True

    def expire(self) -> None:
        """Erase finished jobs whose time is over."""
        with self._change() as run:
            run("DELETE FROM jobs WHERE expires <= ?", (self._clock(),))

    def hand_back(self) -> None:
        """Queue what is running again, in its place, as if it had never been begun."""
        with self._change():
            for job in self._jobs("state = 'running'"):
                self._queue_again(job, job.attempts - 1)

    def counts(self) -> dict[str, int]:
        """Number of jobs by state."""
        with self._lock:
            rows = self._database.execute("SELECT state, count(*) FROM jobs GROUP BY state")
            return dict(rows.fetchall())

    def _prepare(self, path: Path) -> None:
        run = self._database.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")  # what is acknowledged is on the disk
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA secure_delete = ON")  # what is erased is overwritten
        (tables,) = run("SELECT count(*) FROM sqlite_master").fetchone()
        (kind,) = run("PRAGMA application_id").fetchone()
        (version,) = run("PRAGMA user_version").fetchone()
        if not tables:
            with self._change():
                for statement in TABLES.split(";\n"):
                    run(statement)
                run(f"PRAGMA application_id = {FORMAT}")
                run(f"PRAGMA user_version = {VERSION}")
        elif (kind, version) != (FORMAT, VERSION):
            what = (
                f"of version {version}, not {VERSION}" if kind == FORMAT else "of another program"
            )
            raise DataError(f"{path}: a database {what}; move it away, or name another by --data")

    def _recover(self) -> None:
        """What was running when the process ended is queued again, or was begun too often."""
        with self._change():
            for job in self._jobs("state = 'running'"):
                if job.attempts < TIMES:
                    self._queue_again(job, job.attempts)
                    continue
                message = (
                    f"the service ended {TIMES} times while it worked on this recording; send a"
                    " part of it, or in another format"
                )
                self._end(job.id, "failed", {"code": "interrupted", "message": message})
            wanted = {job.id for job in self._jobs(f"state IN {UNFINISHED}")}
        for path in self._uploads.iterdir():
            if path.name not in wanted:
                path.unlink()

    def _check_room(self, size: int) -> None:
        jobs, stored = self._database.execute(
            f"SELECT count(*), ifnull(sum(bytes), 0) FROM jobs WHERE state IN {UNFINISHED}"
        ).fetchone()
        if jobs >= self._max_jobs or stored + size > self._max_bytes:
            raise RequestError(
                429,
                "too_many_jobs",
                f"{jobs} jobs with {stored / 2**20:.0f} MB wait or are in work, and there is no"
                " room for this one; come again later",
                retry_after_s=COME_AGAIN_S,
            )

    def _running(self, job: Job) -> Job:
        """The row of ``job`` as it is now."""
        for found in self._jobs("number = ? AND state = 'running'", job.number):
            return found
        raise NotRunningError

    def _queue_again(self, job: Job, attempts: int) -> None:
        run = self._database.execute
        run("DELETE FROM events WHERE job = ?", (job.number,))
        run(
            "UPDATE jobs SET state = 'queued', started = NULL, attempts = ? WHERE number = ?",
            (attempts, job.number),
        )
        self._told("state", job.id)

    def _end(self, job_id: str, state: State, error: dict[str, str] | None = None) -> Job:
        now = self._clock()
        run = self._database.execute
        (number,) = run(
            "UPDATE jobs SET state = ?, error = ?, finished = ?, expires = ? WHERE id = ?"
            " RETURNING number",
            (state, error and _json(error), now, now + self._keep_s, job_id),
        ).fetchone()
        run("DELETE FROM events WHERE job = ? AND kind = 'progress'", (number,))
        return self._told("end", job_id)

    def _told(self, kind: str, job_id: str) -> Job:
        """The job, whose clients are told its status."""
        job = self._find(job_id)
        assert job
        self._append(job.number, kind, _json(job.status()))
        return job

    def _append(self, job: int, kind: str, data: str) -> None:
        run = self._database.execute
        run("UPDATE jobs SET last = last + 1 WHERE number = ?", (job,))
        run(
            "INSERT OR REPLACE INTO events (job, number, kind, data)"
            " SELECT number, last, ?, ? FROM jobs WHERE number = ?",
            (kind, data, job),
        )

    def _find(self, job_id: str) -> Job | None:
        for found in self._jobs("id = ? AND ifnull(expires > ?, 1)", job_id, self._clock()):
            return found
        return None

    def _jobs(self, where: str, *values: Any) -> list[Job]:
        query = f"SELECT {COLUMNS} FROM jobs WHERE {where} ORDER BY number"
        return [Job(*row) for row in self._database.execute(query, values)]

    def _result(self, job: Job) -> str:
        found: dict[str, list[str]] = {kind: [] for kind in (SINGLE, *LISTS)}
        query = "SELECT kind, data FROM events WHERE job = ? ORDER BY number"
        for kind, data in self._database.execute(query, (job.number,)):
            if kind in found:
                found[kind].append(data)
        lists = (f'"{name}": [{", ".join(found[kind])}]' for kind, name in LISTS.items())
        return f'{{{", ".join(lists)}, "{SINGLE}": {"".join(found[SINGLE][-1:]) or "null"}}}'

    @contextlib.contextmanager
    def _change(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """A transaction, done wholly or not at all."""
        with self._lock, transaction(self._database) as run:
            yield run

    def _discard(self, job_id: str) -> None:
        with contextlib.suppress(OSError):  # the next start tries it again
            self.upload_path(job_id).unlink(missing_ok=True)


def _json(data: Any) -> str:
    """ASCII on one line; in place of a number that JSON has not, ValueError."""
    return json.dumps(data, allow_nan=False)
