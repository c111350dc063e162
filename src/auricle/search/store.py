"""The store of an index: files, the sounds in them, and their vectors, in one folder.

    index.sqlite   files ─► sounds, each with its vector; words: full text of the sounds (FTS5)
    and files of the vectors, made again when they do not fit (vectors.py)

A transaction is done wholly or not at all, so a kill at any moment loses only what was under way.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from auricle.database import stored_text, transaction
from auricle.errors import DataError, reason
from auricle.printable import printable
from auricle.search.graph import Graph
from auricle.search.place import NAME, alone
from auricle.search.rows import (
    DESCRIBED,
    FILE,
    SOUND,
    Described,
    Indexed,
    Maker,
    Sound,
    below,
    described_of,
    in_sqlite,
    indexed_of,
    marks,
    name_words,
    path_of,
    print_of,
    sound_of,
    told_stems,
    values_of,
)
from auricle.search.tables import errors, prepare, reading
from auricle.search.vectors import Vectors
from auricle.watch import Note, silent

TIMEOUT_S = 10.0  # for a reader
T = TypeVar("T")
TOGETHER = 500  # rows that one query asks for by their ids


class Index:
    """The index in ``folder``; a context manager. Its readers may be in several threads.

    Attributes:
        model, digest: what it was made by.
        dim: E of its vectors; 0 while there are none.

    Args:
        maker: to write, alone; makes the index if there is none. None: only to read.
        on_note: gets a line for the user: the matrix was damaged.

    Raises:
        DataError: there is no index, it is damaged, of another model or of a newer version, or
            another process writes it.
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Path, maker: Maker | None = None, on_note: Note = silent) -> None:
        self.folder, self.writable = Path(folder), maker is not None
        self._path = self.folder / NAME
        self._lock = threading.RLock()
        self._vectors = Vectors(self.folder, self.writable, on_note)
        self._times: tuple[int, np.ndarray, np.ndarray] | None = None
        with contextlib.ExitStack() as stack:
            if maker:
                stack.enter_context(alone(self.folder))
            elif not self._path.is_file():
                raise DataError(
                    f"{self.folder}: no index there; make one: auricle index FOLDER --index"
                    f" {self.folder}"
                )
            with reading(self._path):
                self._database = sqlite3.connect(
                    self._path, TIMEOUT_S, isolation_level=None, check_same_thread=False
                )
                stack.callback(self._database.close)
                prepare(self._database, self._path, maker)
                self.model, self.digest, self.dim = self._made()
            if maker and maker.digest != self.digest:
                raise DataError(
                    f"{self.folder}: made by {self.model}, {self.digest[:8]}, and not by"
                    f" {maker.model}, {maker.digest[:8]}; make it anew with --rebuild, or name"
                    " another by --index"
                )
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writable:
            with contextlib.suppress(sqlite3.Error):  # someone reads it: the next run will
                self._database.execute("PRAGMA journal_mode = DELETE")  # one file, not three
        self._open.close()

    # Reading

    def sounds(self, ids: Iterable[int] | None = None) -> Iterator[Sound]:
        """All sounds in the order of their ids; or those with these ``ids``, in their order,
        without those that are gone."""
        if ids is None:
            query = f"SELECT {SOUND} WHERE id > ? ORDER BY id LIMIT {TOGETHER}"
            yield from self._pages(sound_of, query, 0, lambda sound: sound.id)
            return
        wanted = [int(one) for one in ids]
        for first in range(0, len(wanted), TOGETHER):
            some = wanted[first : first + TOGETHER]
            query = f"SELECT {SOUND} WHERE id IN ({marks(some)})"
            found = {sound.id: sound for sound in self._each(sound_of, query, *some)}
            yield from (found[one] for one in some if one in found)

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """ids, int64 [N], ascending, and unit vectors, float16 [N, E], of the sounds that have one:
        all but silence. They are mapped into the memory, and are those of the latest commit."""
        with self._moment() as run:
            return self._vectors.matrix(run)

    def graph(self) -> Graph | None:
        """The graph of the vectors of the latest commit, if the index is a large one and has it."""
        with self._moment() as run:
            return self._vectors.graph(run)

    def text_ranks(self, match: str, limit: int) -> list[tuple[int, float]]:
        """(id, BM25, greater is better) of the ``limit`` best sounds whose caption, tags or file
        name ``match``, an expression of FTS5; ties by id.

        Raises DataError: it is no such expression.
        """
        query = (
            "SELECT rowid, -bm25(words) FROM words WHERE words MATCH ? ORDER BY bm25(words), rowid"
            " LIMIT ?"
        )
        return self._matched(query, match, limit)

    def _matched(self, query: str, match: str, limit: int) -> list[tuple]:
        with self._lock, reading(self._path):
            try:
                return self._database.execute(query, (match, limit)).fetchall()
            except sqlite3.OperationalError as error:
                raise DataError(
                    f"{match!r}: no query of full text, or {self._path} is damaged"
                    f" ({printable(reason(error))})"
                ) from error

    def matching(self, match: str, limit: int) -> list[int]:
        """ids, ascending, of the first ``limit`` sounds that ``match`` as for `text_ranks`: at
        once, however many match.

        Raises DataError: it is no such expression.
        """
        query = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid LIMIT ?"
        return [one for (one,) in self._matched(query, match, limit)]

    def ids_in(
        self, folder: str | os.PathLike[str] | None = None, min_duration_s: float | None = None
    ) -> np.ndarray:
        """ids, int64, ascending, of the sounds of files below ``folder`` (or of this file) that
        last for ``min_duration_s`` or longer."""
        ids, lengths = self._lengths()
        if min_duration_s:
            ids = ids[lengths >= min_duration_s]
        if folder is None:
            return ids
        within, values = below(folder)
        query = f"SELECT id FROM sounds WHERE file IN (SELECT number FROM files WHERE {within})"
        inside = np.array([one for (one,) in self._all(query, *values)], np.int64)
        return np.intersect1d(ids, inside, assume_unique=True)

    def _lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """ids, int64 [N], ascending, and seconds [N] of all sounds, of the latest commit."""
        with self._lock, reading(self._path):
            ((generation,),) = self._all("SELECT generation FROM made")
            if not self._times or self._times[0] != generation:
                rows = self._all("SELECT id, end_s - start_s FROM sounds ORDER BY id")
                ids = np.array([one for one, _ in rows], np.int64)
                self._times = (generation, ids, np.array([length for _, length in rows], float))
            return self._times[1:]

    def files(self, folder: str | os.PathLike[str] | None = None) -> Iterator[Indexed]:
        """The files of the index, or those below ``folder``, in the order of their paths."""
        within, values = below(folder) if folder is not None else ("1", [])
        query = f"SELECT {FILE} FROM files WHERE {within} ORDER BY audio"
        yield from self._each(indexed_of, query, *values)

    def having(self, content: str) -> list[str]:
        """Paths of the files with this content that could be heard."""
        query = "SELECT audio FROM files WHERE content = ? AND reason = '' ORDER BY audio"
        return self._each(path_of, query, content)

    def prints(self) -> Iterator[tuple[str, str, np.ndarray]]:
        """(path, content, fingerprint, uint32 [N]) of the files that could be heard, by path."""
        query = (
            "SELECT audio, content, print FROM files WHERE audio > ? AND reason = ''"
            f" ORDER BY audio LIMIT {TOGETHER}"
        )
        yield from self._pages(print_of, query, "", lambda found: stored_text(found[0]))

    def folders(self) -> list[str]:
        """Absolute paths of the folders that are indexed."""
        return self._each(path_of, "SELECT path FROM folders ORDER BY path")

    # Writing

    def remember(self, folder: str) -> None:
        """Index ``folder`` again whenever all are."""
        with self._change() as run:
            run("INSERT OR IGNORE INTO folders VALUES (?)", (stored_text(folder),))

    def forget(self, folder: str) -> None:
        with self._change() as run:
            run("DELETE FROM folders WHERE path = ?", (stored_text(folder),))

    def add(
        self,
        found: Iterable[tuple[Indexed, Sequence[Described]]],
        prints: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Write files with their sounds, in place of what was known of them; all or none.
        ``prints``: fingerprints by path."""
        with self._change() as run:
            for file, sounds in found:
                self._erase([file.audio])
                number = self._put_file(file)
                for one in sounds:
                    self._put_sound(number, file.audio, one)
                if prints and file.audio in prints:
                    words = np.asarray(prints[file.audio], "<u4").tobytes()
                    run("UPDATE files SET print = ? WHERE number = ?", (words, number))
            run("UPDATE made SET generation = generation + 1, dim = ?", (self.dim,))

    def copy(self, audio: str, file: Indexed) -> None:
        """Write ``file``, which has the content of the indexed ``audio``, with the same sounds."""
        with self._change() as run:
            self._erase([file.audio])
            number = self._put_file(file)
            run(
                "UPDATE files SET print = (SELECT print FROM files WHERE audio = ?)"
                " WHERE number = ?",
                (stored_text(audio), number),
            )
            for sound in self._of(audio):
                self._put_sound(number, file.audio, sound)
            run("UPDATE made SET generation = generation + 1")

    def move(self, audio: str, file: Indexed) -> None:
        """Write that ``audio`` is now ``file``; its sounds keep their ids."""
        with self._change() as run:
            self._erase([file.audio])
            (number,) = run(
                "UPDATE files SET audio = ?, size = ?, mtime_ns = ? WHERE audio = ?"
                " RETURNING number",
                (stored_text(file.audio), file.size, file.mtime_ns, stored_text(audio)),
            ).fetchone()
            owned = run("SELECT id, caption, tags FROM sounds WHERE file = ?", (number,)).fetchall()
            for id, caption, tags in owned:
                told = told_stems(file.audio, caption, json.loads(tags))
                run("UPDATE sounds SET stems = ? WHERE id = ?", (told, id))
                run("UPDATE words SET name = ? WHERE rowid = ?", (name_words(file.audio), id))

    def stamp(self, files: Iterable[Indexed]) -> None:
        """Write the sizes and times of files whose content is as before."""
        with self._change() as run:
            for one in files:
                run(
                    "UPDATE files SET size = ?, mtime_ns = ? WHERE audio = ?",
                    (one.size, one.mtime_ns, stored_text(one.audio)),
                )

    def remove(self, audios: Iterable[str]) -> None:
        """Erase files with their sounds."""
        with self._change() as run:
            self._erase(audios)
            run("UPDATE made SET generation = generation + 1")

    def _erase(self, audios: Iterable[str]) -> None:
        run = self._database.execute
        for audio in audios:
            owned = "IN (SELECT id FROM sounds JOIN files ON file = number WHERE audio = ?)"
            run(f"DELETE FROM words WHERE rowid {owned}", (stored_text(audio),))
            run("DELETE FROM files WHERE audio = ?", (stored_text(audio),))

    def _put_file(self, file: Indexed) -> int:
        values = {**values_of(file), "audio": stored_text(file.audio)}
        query = f"INSERT INTO files ({FILE}) VALUES ({marks(values)}) RETURNING number"
        ((number,),) = self._database.execute(query, tuple(values.values()))
        return number

    def _put_sound(self, number: int, audio: str, one: Described) -> None:
        run = self._database.execute
        vector = None
        if one.vector is not None:
            vector = np.asarray(one.vector, "<f2").tobytes()
            self.dim = self.dim or len(one.vector)
            assert len(one.vector) == self.dim, "one model gives vectors of one length"
        values = {**values_of(one), "tags": json.dumps(one.tags), "vector": vector}
        told = told_stems(audio, one.caption, one.tags)
        ((sound,),) = run(
            f"INSERT INTO sounds (file, stems, {DESCRIBED}) VALUES (?, ?, {marks(values)})"
            " RETURNING id",
            (number, told, *values.values()),
        )
        run(
            "INSERT INTO words (rowid, caption, tags, name) VALUES (?, ?, ?, ?)",
            (sound, one.caption, ", ".join(one.tags), name_words(audio)),
        )

    def _of(self, audio: str) -> Iterator[Described]:
        """The sounds of an indexed file, as the model described them."""
        query = (
            f"SELECT {DESCRIBED} FROM sounds JOIN files ON file = number WHERE audio = ?"
            " ORDER BY id"
        )
        yield from self._each(described_of, query, stored_text(audio))

    # The vectors' files

    def save_vectors(self) -> None:
        """Bring the files of the vectors up to date.

        Raises OutputError: they cannot be written.
        """
        with self._moment() as run:
            self._vectors.save(run)

    # SQLite

    def _made(self) -> tuple[str, str, int]:
        return self._database.execute("SELECT model, digest, dim FROM made").fetchone()

    def _all(self, query: str, *values: Any) -> list[tuple]:
        return self._each(tuple, query, *values)

    def _each(self, make: Callable[[tuple], T], query: str, *values: Any) -> list[T]:
        """The rows, each as ``make`` makes it."""
        with self._lock, reading(self._path):
            return [make(row) for row in self._database.execute(query, values).fetchall()]

    def _pages(
        self, make: Callable[[tuple], T], query: str, first: Any, place: Callable[[T], Any]
    ) -> Iterator[T]:
        """The rows, so many at a time; ``place`` of one is what the ``query`` of the next compares,
        which grows unless the database is damaged."""
        last = first
        while rows := self._each(make, query, last):
            yield from rows
            before, last = last, place(rows[-1])
            if not in_sqlite(before) < in_sqlite(last):
                with reading(self._path):
                    raise ValueError("rows without an order")

    @contextlib.contextmanager
    def _moment(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """What is read within is of one moment."""
        with self._lock, reading(self._path):
            self._database.execute("BEGIN")
            try:
                yield self._database.execute
            finally:
                self._database.execute("COMMIT")

    @contextlib.contextmanager
    def _change(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """A transaction, done wholly or not at all."""
        with self._lock, errors(self._path), transaction(self._database) as run:
            yield run
