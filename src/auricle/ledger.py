"""The ledger of a folder of recordings: what was done with each, in one SQLite file.

A row is complete or absent, even if the process is killed or the power fails: a run writes ahead
into ``auricle.ledger-wal``, which the next one takes in. Paths are relative to the ledger's folder,
so recordings and ledger can move together.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from auricle.database import stored_text, told_errors
from auricle.errors import DataError, OutputError
from auricle.locks import lock

NAME = "auricle.ledger"
FORMAT, VERSION = 0x61757269, 1  # SQLite's application_id ("auri") and user_version
TIMEOUT_S = 10.0  # for a reader

State: TypeAlias = Literal["open", "done", "failed"]  # open: begun, and not finished

TABLES = """
CREATE TABLE works (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,      -- its name
    digest TEXT NOT NULL,     -- of its files
    settings TEXT NOT NULL,   -- JSON: what else decides a result
    UNIQUE (model, digest, settings));
CREATE TABLE recordings (
    command TEXT NOT NULL,
    recording TEXT NOT NULL,  -- path
    name TEXT NOT NULL,       -- of its sidecars, below their folder, without the format's suffix
    state TEXT NOT NULL,      -- open, done or failed
    work INTEGER REFERENCES works (id),
    size INTEGER,             -- of the file, in bytes
    mtime_ns INTEGER,
    content TEXT,             -- BLAKE2b of its bytes
    duration_s REAL,
    caption TEXT NOT NULL,    -- one per line
    reason TEXT NOT NULL,     -- why it failed
    sidecars TEXT NOT NULL,   -- JSON: path -> bytes, of all that were ever written for it
    finished TEXT NOT NULL,   -- UTC
    PRIMARY KEY (command, recording));
CREATE UNIQUE INDEX names ON recordings (command, name);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A recording in the ledger, as the table above says; paths are absolute here."""

    command: str
    recording: str
    name: str
    state: State = "open"
    work: int | None = None
    size: int | None = None
    mtime_ns: int | None = None
    content: str | None = None
    duration_s: float | None = None
    caption: str = ""
    reason: str = ""
    sidecars: Mapping[str, int] = field(default_factory=dict)
    finished: str = ""


COLUMNS = tuple(one.name for one in fields(Row))


@dataclass(frozen=True)
class Work:
    """What turns a recording into its result: the model, by name and digest, and all settings."""

    model: str
    digest: str
    settings: str


@contextlib.contextmanager
def alone(ledger: Path) -> Iterator[None]:
    """The only run with ``ledger``, until its process ends, however it ends; makes its folder.

    Raises:
        DataError: another process works with it.
        OutputError: its folder cannot be written.
    """
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        file = ledger.with_name(f"{ledger.name}.lock").open("ab")
    except OSError as error:
        raise OutputError(
            f"{ledger.parent}: cannot be written ({error.strerror}); allow it, or name another"
            " folder by --output, or another file by --ledger"
        ) from error
    with file:
        if not lock(file):
            raise DataError(
                f"{ledger}: another auricle works with it; wait for it to end, or give this one a"
                " folder or --ledger of its own"
            )
        yield


class Ledger:
    """The ledger at ``path``, or an empty one in memory; a context manager.

    ``writable``: make the tables that are missing, and write ahead.

    Raises:
        DataError: the file is damaged, no ledger, or of a newer version.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path | None, writable: bool = False) -> None:
        self.path, self.writable = path, writable
        self.folder = os.path.abspath(path.parent) if path else os.getcwd()  # noqa: PTH100, PTH109
        with self._errors():
            self._database = sqlite3.connect(path or ":memory:", TIMEOUT_S, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writable:
            with contextlib.suppress(sqlite3.Error):  # someone reads it: the next run will
                self._database.execute("PRAGMA journal_mode = DELETE")  # one file, not three
        self._database.close()

    def find(self, command: str, recording: str) -> Row | None:
        return self._one("command = ? AND recording = ?", command, self._stored(recording))

    def named(self, command: str, name: str) -> Row | None:
        """The recording whose sidecars have this ``name``."""
        return self._one("command = ? AND name = ?", command, stored_text(name))

    def work(self, work: Work) -> int | None:
        """The number of ``work``; None if nothing was done so and nothing may be written."""
        values = (work.model, work.digest, work.settings)
        with self._errors():
            if self.writable:
                self._database.execute(
                    "INSERT OR IGNORE INTO works (model, digest, settings) VALUES (?, ?, ?)", values
                )
            query = "SELECT id FROM works WHERE model = ? AND digest = ? AND settings = ?"
            found = self._database.execute(query, values).fetchone()
        return found and found[0]

    def put(self, row: Row) -> None:
        """Write the row of a recording, in place of its earlier one."""
        sidecars = {self._relative(path): size for path, size in row.sidecars.items()}
        values = {one: getattr(row, one) for one in COLUMNS} | {
            "recording": self._stored(row.recording),
            "name": stored_text(row.name),
            "sidecars": json.dumps(sidecars),
        }
        with self._errors():
            self._database.execute(
                f"INSERT INTO recordings ({', '.join(COLUMNS)})"
                f" VALUES ({', '.join('?' * len(COLUMNS))})"
                " ON CONFLICT (command, recording) DO UPDATE SET"
                f" {', '.join(f'{one} = excluded.{one}' for one in COLUMNS[2:])}",
                tuple(values.values()),
            )

    def move(self, row: Row, recording: str) -> None:
        """Write that the recording of ``row`` is now elsewhere."""
        places = (self._stored(recording), row.command, self._stored(row.recording))
        with self._errors():
            self._database.execute(
                "UPDATE recordings SET recording = ? WHERE command = ? AND recording = ?", places
            )

    def rows(self, state: State | None = None) -> Iterator[tuple[Row, Work | None]]:
        """Rows in the order of their recordings, each with its work; ``state``: only these."""
        with self._errors():
            works = {
                number: Work(*values)
                for number, *values in self._database.execute(
                    "SELECT id, model, digest, settings FROM works"
                )
            }
            for values in self._database.execute(
                f"SELECT {', '.join(COLUMNS)} FROM recordings WHERE state = ? OR ? IS NULL"
                " ORDER BY command, recording",
                (state, state),
            ):
                row = self._row(values)
                yield row, works.get(row.work or 0)

    def counts(self) -> dict[tuple[str, str], int]:
        """Number of recordings by command and state."""
        query = "SELECT command, state, count(*) FROM recordings GROUP BY command, state"
        with self._errors():
            return {(command, state): n for command, state, n in self._database.execute(query)}

    def _one(self, where: str, *values: Any) -> Row | None:
        query = f"SELECT {', '.join(COLUMNS)} FROM recordings WHERE {where}"
        with self._errors():
            found = self._database.execute(query, values).fetchone()
            return self._row(found) if found else None

    def _row(self, values: tuple) -> Row:
        try:
            row = dict(zip(COLUMNS, values, strict=True))
            sidecars = {self._absolute(p): size for p, size in json.loads(row["sidecars"]).items()}
            return Row(
                **row
                | {
                    "recording": self._absolute(row["recording"]),
                    "name": os.fsdecode(row["name"]),
                    "sidecars": sidecars,
                }
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise sqlite3.DatabaseError(f"a row that none has written: {error}") from error

    def _prepare(self) -> None:
        run = self._database.execute
        if run("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            (kind,), (version,) = (
                run(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
            )
            if kind != FORMAT:
                raise DataError(
                    f"{self.path}: a database, but no ledger of auricle; name another by --ledger"
                )
            if version > VERSION:
                raise DataError(
                    f"{self.path}: a ledger of version {version}, written by a newer auricle; this"
                    f" one knows {VERSION}: update it, or name another by --ledger"
                )
        elif self.writable or not self.path:
            run("BEGIN IMMEDIATE")
            for statement in TABLES.split(";"):
                run(statement)
            run(f"PRAGMA application_id = {FORMAT}")
            run(f"PRAGMA user_version = {VERSION}")
            run("COMMIT")
        else:
            raise DataError(f"{self.path}: empty, no ledger of auricle; nothing was begun with it")
        if self.writable:
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = NORMAL")

    def _errors(self) -> contextlib.AbstractContextManager[None]:
        return told_errors(self.path or Path(), "go on with --resume", self._damaged)

    def _damaged(self, error: sqlite3.Error) -> DataError:
        return DataError(
            f"{self.path}: no ledger, or damaged ({error}); move it away, or name another by"
            " --ledger: without it, --overwrite does all again"
        )

    def _stored(self, path: str) -> str | bytes:
        return stored_text(self._relative(path))

    def _relative(self, path: str) -> str:
        try:
            return os.path.relpath(path, self.folder)
        except ValueError:  # another drive
            return path

    def _absolute(self, stored: str | bytes) -> str:
        return os.path.normpath(os.path.join(self.folder, os.fsdecode(stored)))  # noqa: PTH118
