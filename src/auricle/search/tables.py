"""The database of an index: its tables, how it is opened or made, and what its errors say."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from auricle.database import told_errors, transaction
from auricle.errors import AuricleError, DataError, reason
from auricle.printable import printable
from auricle.search.rows import Maker
from auricle.search.sealed import WrongFileError

FORMAT, VERSION = 0x61756978, 2  # SQLite's application_id ("auix") and user_version
DAMAGE = (TypeError, ValueError, AttributeError, OverflowError, struct.error, WrongFileError)

TABLES = """
CREATE TABLE made (
    -- One row.
    model TEXT NOT NULL,      -- its name
    digest TEXT NOT NULL,     -- of its files
    dim INTEGER NOT NULL,     -- of the vectors; 0 while there is none
    generation INTEGER NOT NULL,  -- grows whenever a vector comes or goes
    mark BLOB NOT NULL        -- 16 bytes that no other index has
);
CREATE TABLE folders (
    path TEXT PRIMARY KEY     -- of those that are indexed
);
CREATE TABLE files (
    number INTEGER PRIMARY KEY,
    audio TEXT NOT NULL UNIQUE,   -- absolute path
    size INTEGER NOT NULL,        -- in bytes
    mtime_ns INTEGER NOT NULL,
    content TEXT NOT NULL,        -- BLAKE2b of its bytes
    duration_s REAL NOT NULL,
    format TEXT NOT NULL,
    reason TEXT NOT NULL,         -- why it cannot be heard; else empty
    print BLOB                    -- its fingerprint
);
CREATE INDEX contents ON files (content);
CREATE TABLE sounds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again
    file INTEGER NOT NULL REFERENCES files (number) ON DELETE CASCADE,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    caption TEXT NOT NULL,
    confidence REAL,
    score REAL,
    tags TEXT NOT NULL,           -- JSON: classes, best first
    segment INTEGER NOT NULL,     -- of a long recording
    stems TEXT NOT NULL,          -- of caption, tags and file name
    vector BLOB                   -- float16, of length 1; none of silence
);
CREATE INDEX owners ON sounds (file);
CREATE VIRTUAL TABLE words USING fts5 (
    caption, tags, name, tokenize = 'porter unicode61 remove_diacritics 2'
);
"""


def prepare(database: sqlite3.Connection, path: Path, maker: Maker | None) -> None:
    """Make ready what was opened at ``path``, to be written if there is a ``maker``.

    Raises DataError: it is no index, an empty one, or of another version.
    """
    run = database.execute
    run("PRAGMA foreign_keys = ON")
    (tables,) = run("SELECT count(*) FROM sqlite_master").fetchone()
    kind, version = (
        run(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if tables and (kind, version) != (FORMAT, VERSION):
        what = (
            f"an index of version {version}, and this auricle knows {VERSION}; make it anew"
            " with --rebuild"
            if kind == FORMAT
            else "a database, but no index of auricle; name another folder by --index"
        )
        raise DataError(f"{path}: {what}")
    if maker is None:
        if not tables:
            raise DataError(
                f"{path.parent}: an empty index; fill it: auricle index FOLDER --index"
                f" {path.parent}"
            )
        run("PRAGMA query_only = ON")
        return
    run("PRAGMA journal_mode = WAL")
    run("PRAGMA synchronous = NORMAL")
    if tables:
        return
    with transaction(database) as change:
        for statement in TABLES.split(";\n"):
            change(statement)
        values = (maker.model, maker.digest, secrets.token_bytes(16))
        change("INSERT INTO made VALUES (?, ?, 0, 0, ?)", values)
        change(f"PRAGMA application_id = {FORMAT}")
        change(f"PRAGMA user_version = {VERSION}")


def errors(path: Path) -> contextlib.AbstractContextManager[None]:
    """Errors of SQLite become DataError and OutputError."""
    return told_errors(path, "run the same again", partial(_damaged, path))


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """As `errors`; values of another kind than was written are damage, too."""
    with errors(path):
        try:
            yield
        except AuricleError:
            raise
        except DAMAGE as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    why = printable(reason(error)[:200])
    return DataError(
        f"{path}: no index, or damaged ({why}); make it anew: auricle index FOLDER --rebuild"
        f" --index {path.parent}"
    )
