"""The folder of an index: its files, and the one process that may write them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from auricle.errors import DataError, OutputError
from auricle.fetch.cache import cache_folder
from auricle.locks import lock

NAME, LOCK = "index.sqlite", "index.lock"
MATRIX, GRAPH = "vectors.f16", "graph.usearch"  # of its vectors


def default_folder() -> Path:
    return cache_folder() / "index"


def erase(folder: Path) -> None:
    """Delete the index in ``folder``, alone.

    Raises DataError, OutputError: as `Index`.
    """
    with alone(folder):
        for name in (NAME, f"{NAME}-wal", f"{NAME}-shm", f"{NAME}-journal", MATRIX, GRAPH):
            (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """The only process that writes the index in ``folder``, until it ends; makes the folder.

    Raises:
        DataError: another one does.
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); allow it, or name another folder by"
            " --index"
        ) from error
    with file:
        if not lock(file):
            raise DataError(
                f"{folder}: another auricle index works with it; wait for it to end, or name"
                " another folder by --index"
            )
        yield
