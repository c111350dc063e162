"""Stores of arrays, such as the features of clips: the index of keys and the shards, damaged."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np

from auricle.data.store import ArrayStore
from tests.fuzz.damage import damaged
from tests.fuzz.reader import Reader

KEYS = [sha256(bytes([number])).hexdigest() for number in range(4)]
CELLS = (None, "x", b"\xff", -1, 2**31, 2**40, 2**62, 1.5, 0, 10**6)


def _store(folder: Path) -> ArrayStore:
    return ArrayStore(folder, {"model": "tiny"}, 3, "float16")


def _arrays() -> list[tuple[str, np.ndarray]]:
    random = np.random.default_rng(0)
    return [(key, random.standard_normal((5 + n, 3))) for n, key in enumerate(KEYS)]


@cache
def _whole() -> Path:
    home = Path(tempfile.mkdtemp(prefix="auricle-fuzz-store-"))
    _store(home).put_many(_arrays()[:3])
    return home


def write(random: Random, folder: Path) -> Path:
    place = folder / "store"
    shutil.copytree(_whole(), place)
    (inner,) = place.iterdir()
    kind = random.random()
    if kind < 0.3:
        with contextlib.closing(sqlite3.connect(inner / "index.sqlite")) as connection:
            column = random.choice(("key", "shard", "start", "frames"))
            with contextlib.suppress(sqlite3.Error):
                row = random.choice(("1", "id = 2"))
                value = random.choice(CELLS)
                connection.execute(f"UPDATE rows SET {column} = ? WHERE {row}", (value,))
                connection.commit()
    else:
        path = inner / random.choice(("index.sqlite", "index.sqlite", "00000.bin", "settings.json"))
        path.write_bytes(damaged(random, path.read_bytes(), b"SQLite format 3\0" + bytes(200)))
    return place


def read(path: Path) -> None:
    store = _store(path)
    whole = dict(_arrays())
    for key in KEYS[:3]:
        if store.frames(key) is not None:
            found = store.get(key)
            assert found.shape == (store.frames(key), 3)
    store.put_many(_arrays())
    np.testing.assert_allclose(store.get(KEYS[3]), whole[KEYS[3]], atol=0.01)


READER = Reader(write, read)
