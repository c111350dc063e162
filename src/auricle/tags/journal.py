"""The undo journal: for every file that was tagged, how to make the one before of it.

A step is found by the digest of the tagged file, so a file that someone changed since has none, and
a step whose file was never replaced (a kill came between) finds no file. One SQLite file serves all
folders, and no folder of recordings gets a file that is none.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from auricle.errors import DataError
from auricle.tags.pieces import Piece, pack, unpack

WAIT_S = 60.0  # for another process that writes
_TABLE = """
create table if not exists steps (
    id integer primary key, after text not null, before text not null, path text not null,
    modified_ns integer not null, tagged_at text not null default current_timestamp,
    pieces blob not null
);
create index if not exists steps_by_after on steps (after);
create index if not exists steps_by_path on steps (path);
"""


@dataclass(frozen=True)
class Step:
    """One writing.

    Attributes:
        path: of the file, absolute, without links.
        before, after: SHA-256 of the whole file.
        modified_ns: the time of modification of the file before.
        pieces: the file before, as pieces of the one after.
    """

    path: str
    before: str
    after: str
    modified_ns: int
    pieces: tuple[Piece, ...]


def default_journal() -> Path:
    """``auricle/tags.undo`` in the user's state folder, by default ~/.local/state."""
    state = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser()
    return state / "auricle" / "tags.undo"


class Journal:
    """The steps in the file ``path``, which is made when the first is added.

    Raises DataError from every method: the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._database:
            self._database.close()

    def add(self, step: Step) -> None:
        """The step is on the disk when this returns."""
        values = (step.after, step.before, step.path, step.modified_ns, pack(step.pieces))
        with self._opened() as database:
            database.execute(
                "insert into steps (after, before, path, modified_ns, pieces) values (?,?,?,?,?)",
                values,
            )

    def last(self, after: str, path: str) -> Step | None:
        """The latest step that led to a file with the digest ``after``, preferably at ``path``."""
        query = (
            "select path, before, after, modified_ns, pieces from steps where after = ?"
            " order by path = ? desc, id desc limit 1"
        )
        if not self._database and not self.path.exists():
            return None
        with self._opened() as database:
            row = database.execute(query, (after, path)).fetchone()
            if row is None:
                return None
            place, before, _, modified_ns, packed = row
            try:
                return Step(place, before, after, modified_ns, tuple(unpack(packed)))
            except ValueError as error:
                raise self._damaged(error) from error

    def has_lost(self, path: str, digest: str) -> bool:
        """Whether the file ``path`` was tagged and not undone, and its ``digest`` is not that of a
        file before."""
        if not self._database and not self.path.exists():
            return False
        with self._opened() as database:
            query = "select count(*), total(before = ?) from steps where path = ?"
            steps, before = database.execute(query, (digest, path)).fetchone()
            return bool(steps) and not before

    def remove(self, step: Step) -> None:
        query = (
            "delete from steps where id = (select max(id) from steps where after = ? and path = ?)"
        )
        with self._opened() as database:
            database.execute(query, (step.after, step.path))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """The database, within a transaction."""
        try:
            if not self._database:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._database = sqlite3.connect(self.path, timeout=WAIT_S)
                self._database.execute("pragma synchronous = full")
                self._database.executescript(_TABLE)
            with self._database:
                yield self._database
        except (sqlite3.Error, OSError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DataError:
        return DataError(
            f"{self.path}: no undo journal that can be used ({error}); name another with --journal"
        )
