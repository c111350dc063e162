"""Databases of SQLite: what the ledger, the jobs and the index have in common."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from auricle.errors import DataError, OutputError

# Beginnings of SQLite's names for errors of the disk.
UNWRITABLE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[Callable[..., sqlite3.Cursor]]:
    """A transaction, done wholly or not at all; gives ``database.execute``. The connection commits
    nothing by itself (``isolation_level=None``).

    Raises sqlite3.Error: it cannot be done.
    """
    run = database.execute
    run("BEGIN IMMEDIATE")
    try:
        yield run
        run("COMMIT")
    except BaseException:
        if database.in_transaction:
            run("ROLLBACK")
        raise


@contextlib.contextmanager
def told_errors(
    path: Path, then: str, damaged: Callable[[sqlite3.Error], DataError]
) -> Iterator[None]:
    """Errors of SQLite with the database ``path`` as ours: OutputError where the disk is to blame,
    which says what to do ``then``; else what ``damaged`` makes of them."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith(UNWRITABLE):
            raise OutputError(
                f"{path}: cannot be read or written ({error}); make room or allow it, then {then}"
            ) from error
        raise damaged(error) from error


def stored_text(path: str) -> str | bytes:
    """A path as SQLite takes it: text, or its bytes if these are not Unicode."""
    try:
        path.encode()
        return path
    except UnicodeEncodeError:
        return os.fsencode(path)
