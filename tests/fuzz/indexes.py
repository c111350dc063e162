"""Indexes of sounds: the database and the matrix of vectors, damaged on the disk."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from auricle.search.place import MATRIX, NAME
from auricle.search.store import Index
from tests.fuzz.damage import damaged
from tests.fuzz.reader import Reader
from tests.helpers.toy_library import described, make_index, write_sound

CELLS = (None, "", "x", "x" * 5000, b"", b"\xff\x00", -1, 2**62, 1e308, float("inf"), "\0", "[1", 0)


@cache
def _whole() -> Path:
    """An index of a few sounds, with its matrix."""
    home = Path(tempfile.mkdtemp(prefix="auricle-fuzz-index-"))
    files = [write_sound(home / "sounds" / name) for name in ("gate.wav", "rain & wind.wav")]
    sounds = [described("a gate creaks", tags=("Door",)), described("rain falls", 0.5, 1.0)]
    make_index(home / "index", [home / "sounds"], dict.fromkeys(files, sounds))
    with Index(home / "index") as index:
        index.vectors()
    return home / "index"


def write(random: Random, folder: Path) -> Path:
    place = folder / "index"
    shutil.copytree(_whole(), place)
    kind = random.random()
    if kind < 0.4:
        path = place / MATRIX
        path.write_bytes(damaged(random, path.read_bytes(), (place / NAME).read_bytes()))
    elif kind < 0.8:
        path = place / NAME
        path.write_bytes(damaged(random, path.read_bytes(), (place / MATRIX).read_bytes()))
    else:
        _other_cell(random, place / NAME)
        if random.random() < 0.5:
            (place / MATRIX).unlink()
    return place


def _other_cell(random: Random, path: Path) -> None:
    """A value of another kind in a row of the database."""
    connection = sqlite3.connect(path)
    tables = ("made", "files", "sounds", "folders")
    table = random.choice(tables)
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    column = random.choice(columns)
    try:
        connection.execute(f"UPDATE {table} SET {column} = ?", (random.choice(CELLS),))
        connection.commit()
    except sqlite3.Error:
        connection.rollback()
    connection.close()


def read(path: Path) -> None:
    with Index(path) as index:
        ids, vectors = index.vectors()
        assert ids.ndim == 1
        assert vectors.shape == (len(ids), index.dim)
        np.asarray(vectors, np.float32) @ np.ones(index.dim, np.float32)
        for _ in index.sounds():
            pass
        list(index.sounds(ids[:5]))
        index.text_ranks("gate OR rain", 5)
        index.matching("rain", 5)
        index.ids_in("/", 0.5)
        list(index.files())
        list(index.prints())
        index.folders()


READER = Reader(write, read)
