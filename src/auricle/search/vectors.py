"""The vectors of an index in files beside its database, each made again where it does not fit.

vectors.f16      all as one matrix
graph.usearch    a graph of the near ones, of a large index
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np

from auricle.errors import OutputError
from auricle.extras import install_command
from auricle.search.graph import LARGE, Graph, can_make_graphs, read_graph, write_graph
from auricle.search.matrix import read_matrix, write_matrix
from auricle.search.place import GRAPH, MATRIX, NAME
from auricle.search.sealed import WrongFileError
from auricle.watch import Note

Run: TypeAlias = Callable[..., sqlite3.Cursor]  # within a transaction, so that all is of one moment


class Vectors:
    """Of the index in ``folder``; ``on_note`` gets a line for the user: a file was damaged."""

    def __init__(self, folder: Path, writable: bool, on_note: Note) -> None:
        self._folder, self._writable, self._note = folder, writable, on_note
        self._matrix: tuple[int, np.ndarray, np.ndarray] | None = None  # of a generation
        self._graph: tuple[int, Graph | None] | None = None

    def matrix(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        """ids, int64 [N], ascending, and float16 [N, E], mapped into the memory.

        Raises OutputError: there is one to be written, and it cannot be.
        """
        dim, generation, mark = run("SELECT dim, generation, mark FROM made").fetchone()
        if not self._matrix or self._matrix[0] != generation:
            self._matrix = (generation, *self._read_matrix(run, dim, generation, mark))
        return self._matrix[1:]

    def graph(self, run: Run) -> Graph | None:
        """None where the index is not large, or has none of its latest commit."""
        generation, mark = run("SELECT generation, mark FROM made").fetchone()
        if not self._graph or self._graph[0] != generation:
            found = None
            if len(self.matrix(run)[0]) >= LARGE and can_make_graphs():
                try:
                    found = read_graph(self._folder / GRAPH, mark, generation)
                except WrongFileError:
                    self._note(
                        f"{self._folder / GRAPH}: damaged or of another index; every sound is"
                        " compared until auricle index makes it again"
                    )
            self._graph = (generation, found)
        return self._graph[1]

    def save(self, run: Run) -> None:
        """Bring the files up to date.

        Raises OutputError: they cannot be written.
        """
        ids, rows = self.matrix(run)
        if len(ids) < LARGE or self.graph(run):
            return
        if not can_make_graphs():
            self._note(
                f"{len(ids):,} sounds, each of which a search compares; it is faster with"
                f" {install_command('vectors')}"
            )
            return
        generation, mark = run("SELECT generation, mark FROM made").fetchone()
        path = self._folder / GRAPH
        try:
            write_graph(path, mark, generation, ids, rows)
        except OSError as error:
            raise _unwritten(path, error) from error
        self._graph = None

    def _read_matrix(
        self, run: Run, dim: int, generation: int, mark: bytes
    ) -> tuple[np.ndarray, np.ndarray]:
        path = self._folder / MATRIX
        try:
            if found := read_matrix(path, mark, generation, dim):
                return found
        except WrongFileError:
            self._note(f"{path}: damaged or of another index; made again from {NAME}")
        except OSError:
            pass
        having = "FROM sounds WHERE vector IS NOT NULL ORDER BY id"
        ids = np.array([one for (one,) in run(f"SELECT id {having}")], np.int64)
        rows = (one for (one,) in run(f"SELECT vector {having}"))
        try:
            write_matrix(path, mark, generation, dim, ids, rows)
            if found := read_matrix(path, mark, generation, dim):
                return found
        except OSError as error:
            if self._writable:
                raise _unwritten(path, error) from error
        content = b"".join(one for (one,) in run(f"SELECT vector {having}"))
        return ids, np.frombuffer(content, "<f2").reshape(len(ids), dim)


def _unwritten(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path}: cannot be written ({error.strerror}); make room or allow it, then run the same"
        " again"
    )
