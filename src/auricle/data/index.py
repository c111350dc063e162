"""An index of rows by SHA-256 keys, stored in SQLite and looked up in one sorted array.

A row in SQLite is complete or absent, even if a process is killed. SQLite's connections must not
cross a fork, so none stays open: lookups use an array of 32 bytes per key and the columns, which
worker processes share. A row is never changed: another under its key, added later, replaces it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from auricle.errors import DataError, reason
from auricle.printable import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike

KEY = "S32"  # SHA-256 as bytes
RECENT = 4096  # rows outside the sorted array, merged into it at this number
TIMEOUT_S = 60.0  # for another process's commit
ABSENT = -1  # in rows from before their table had the column
TICK_S = 0.1  # two closer changes may have the same file time (Linux: 1 to 10 ms)


class _Snapshot(NamedTuple):
    """``keys`` [N], sorted, and their ``rows`` [N]; ``recent`` rows up to number ``last``."""

    keys: np.ndarray
    rows: np.ndarray
    recent: dict[bytes, tuple]
    last: int
    stamp: tuple[int, ...]

    def find(self, key: bytes) -> tuple | None:
        import numpy as np

        if key in self.recent:
            return self.recent[key]
        place = int(self.keys.searchsorted(np.array(key, KEY)))
        if place < len(self.keys) and self.keys[place] == key:
            return self.rows[place].item()
        return None


class Index:
    """A table at ``path`` of ``columns``: name -> NumPy type. Safe to pickle, and to fork.

    Keys are 64 hexadecimal digits. Rows of a table without some of the columns, from an earlier
    version, have `ABSENT` there. Raises DataError: the file is damaged or cannot be written.
    """

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self.path = path
        self.columns = dict(columns)
        self._snapshot: _Snapshot | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_snapshot": None}

    def __len__(self) -> int:
        if not self._stamp():
            return 0
        with self._transaction() as connection:
            return int(connection.execute("SELECT count(*) FROM rows").fetchone()[0])

    def find(self, key: str) -> tuple | None:
        """The row under ``key``, even if another process has just added it; of a row that another
        process replaces, the old one may be found until `newest` is asked."""
        wanted = bytes.fromhex(key).rstrip(b"\0")  # as NumPy returns keys
        row = (self._snapshot or self._read()).find(wanted)
        return self._read().find(wanted) if row is None else row

    def newest(self, key: str) -> tuple | None:
        """The row under ``key`` that was added last."""
        return self._read().find(bytes.fromhex(key).rstrip(b"\0"))

    def last(self) -> tuple | None:
        """The row that was added last."""
        if not self._stamp():
            return None
        with self._transaction() as connection:
            query = f"SELECT {self._selected(connection)} FROM rows ORDER BY id DESC LIMIT 1"
            rows = self._table(connection.execute(query), list(self.columns.items()))
        return rows[0].item() if len(rows) else None

    def add(self, rows: Iterable[tuple]) -> None:
        """Add rows (key, columns), all or none, in place of earlier rows under their keys."""
        names, marks = ", ".join(self.columns), ", ?" * len(self.columns)
        with self._transaction("IMMEDIATE") as connection:
            for name in self.columns.keys() - _columns(connection):
                connection.execute(f"ALTER TABLE rows ADD COLUMN {name} DEFAULT {ABSENT}")
            connection.executemany(
                # SQLite's own number would be that of the row it replaces, if that is the last.
                f"INSERT OR REPLACE INTO rows (id, key, {names}) VALUES"
                f" ((SELECT coalesce(max(id), 0) + 1 FROM rows), ?{marks})",
                ((bytes.fromhex(key), *values) for key, *values in rows),
            )

    def _read(self) -> _Snapshot:
        """The current snapshot, replaced by a newer one if the file has changed."""
        import numpy as np

        old, stamp = self._snapshot, self._stamp()
        if old and old.stamp == stamp:
            return old
        names = list(self.columns)
        dtype = np.dtype([("id", "i8"), ("key", KEY), *self.columns.items()])
        if not stamp:
            empty = np.empty(0, dtype)
            new = _Snapshot(empty["key"], empty[names], {}, 0, ())
        elif old and len(old.recent) < RECENT:
            with self._transaction() as connection:
                query = f"SELECT id, key, {self._selected(connection)} FROM rows"
                added = connection.execute(f"{query} WHERE id > ? ORDER BY id", (old.last,))
                table = self._table(added, dtype)
            rows = dict(zip(table["key"].tolist(), table[names].tolist(), strict=True))
            last = int(table["id"].max(initial=old.last))
            new = old._replace(recent=old.recent | rows, last=last, stamp=stamp)
        else:
            with self._transaction() as connection:
                query = f"SELECT id, key, {self._selected(connection)} FROM rows ORDER BY key"
                table = self._table(connection.execute(query), dtype)
            packed = np.empty(len(table), list(self.columns.items()))
            for name in names:
                packed[name] = table[name]
            keys, last = np.ascontiguousarray(table["key"]), int(table["id"].max(initial=0))
            new = _Snapshot(keys, packed, {}, last, stamp)
        self._snapshot = new  # one assignment, for the lookups of other threads
        return new

    def _table(self, rows: Iterable[tuple], dtype: DTypeLike) -> np.ndarray:
        """The rows as an array. Raises DataError: they hold other values than were written."""
        import numpy as np

        try:
            return np.fromiter(rows, dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DataError:
        return DataError(
            f"{self.path}: cannot be read or written ({printable(reason(error)[:200])}); check that"
            " the disk has room and the folder is yours, or delete the folder if this file is"
            " damaged"
        )

    def _selected(self, connection: sqlite3.Connection) -> str:
        """The columns, for a query; those that the table lacks as constants."""
        there = _columns(connection)
        return ", ".join(name if name in there else f"{ABSENT} AS {name}" for name in self.columns)

    def _stamp(self) -> tuple[int, ...]:
        """A value that changes with every commit; empty before the first."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return ()
        if not status.st_size:
            return ()
        settled = time.time_ns() - status.st_mtime_ns > 1e9 * TICK_S
        return status.st_ino, status.st_mtime_ns, 0 if settled else time.monotonic_ns()

    @contextlib.contextmanager
    def _transaction(self, kind: str = "DEFERRED") -> Iterator[sqlite3.Connection]:
        """A transaction, all or nothing; creates the table if it is missing."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, TIMEOUT_S, isolation_level=None)
            with contextlib.closing(connection), connection:
                connection.execute(f"BEGIN {kind}")
                if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                    connection.execute(
                        "CREATE TABLE rows (id INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL,"
                        f" {', '.join(self.columns)})"
                    )
                yield connection
        except (OSError, sqlite3.Error, UnicodeDecodeError) as error:  # of SQLite's own message
            raise self._damaged(error) from error


def _columns(connection: sqlite3.Connection) -> set[str]:
    """Names of the columns that the table has."""
    return {row[1] for row in connection.execute("PRAGMA table_info(rows)")}
