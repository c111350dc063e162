"""Databases of SQLite: what the ledger, the jobs and the index have in common."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator

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


def stored_text(path: str) -> str | bytes:
    """A path as SQLite takes it: text, or its bytes if these are not Unicode."""
    try:
        path.encode()
        return path
    except UnicodeEncodeError:
        return os.fsencode(path)
