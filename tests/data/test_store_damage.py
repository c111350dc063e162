"""Stored arrays and their index when bytes are lost or changed: told, dropped, and put again."""

from __future__ import annotations

import contextlib
import os
import pickle
import sqlite3

import numpy as np
import pytest

from auricle.data.keys import text_key
from auricle.data.store import ArrayStore
from auricle.errors import DataError
from tests.helpers.arrays import WIDTH, holds, items


def flip(store: ArrayStore, place: int) -> None:
    """Change one bit of the first shard."""
    with (store.folder / "00000.bin").open("r+b") as file:
        file.seek(place)
        bits = file.read(1)[0]
        file.seek(place)
        file.write(bytes([bits ^ 4]))


def test_a_damaged_array_is_named_dropped_and_put_again(store: ArrayStore) -> None:
    store.put_many(items(0, 1, 2))
    reader = pickle.loads(pickle.dumps(store))
    assert holds(reader, 0, 1, 2)
    flip(store, 2 * WIDTH + 5)
    with pytest.raises(DataError, match=rf"00000\.bin: array {text_key('1')} is damaged"):
        reader.get(text_key("1"))
    assert [store.check(key) for key, _ in items(0, 1, 2, 3)] == [True, False, True, False]
    assert store.frames(text_key("1")) is None
    assert text_key("1") not in pickle.loads(pickle.dumps(store))
    store.put_many(items(0, 1))
    assert holds(store, 0, 1, 2)
    assert len(store) == 3
    assert holds(reader, 0, 1, 2)  # though it had found the old place
    assert store.check(text_key("1"))


@pytest.mark.parametrize("lost", ["some bytes", "the shard"])
def test_after_a_shard_that_lost_bytes_another_begins(store: ArrayStore, lost: str) -> None:
    store.put_many(items(0, 1, 2))
    shard = store.folder / "00000.bin"
    os.truncate(shard, 20)
    assert holds(store, 0)
    with pytest.raises(DataError, match=r"00000\.bin: array .* is damaged; run `auricle precomp"):
        store.get(text_key("1"))
    if lost == "the shard":
        shard.unlink()
        store = pickle.loads(pickle.dumps(store))
    whole = [store.check(key) for key, _ in items(0, 1, 2)]
    assert whole == [lost == "some bytes", False, False]
    store.put_many(items(0, 1, 2, 3))
    assert holds(store, 0, 1, 2, 3)
    assert (store.folder / "00001.bin").exists()


def test_the_last_row_replaced_is_seen_by_a_reader(store: ArrayStore) -> None:
    store.put_many(items(0, 1))
    reader = pickle.loads(pickle.dumps(store))
    assert holds(reader, 0, 1)
    flip(store, 2 * WIDTH + 5)
    assert not store.check(text_key("1"))
    store.put_many(items(1))
    store.put_many(items(2))
    assert holds(reader, 0, 1, 2)


def test_a_store_without_checksums_is_read_and_filled(store: ArrayStore) -> None:
    store.put_many(items(0, 1))
    with contextlib.closing(sqlite3.connect(store.folder / "index.sqlite")) as connection:
        connection.execute("ALTER TABLE rows DROP COLUMN checksum")
        connection.commit()
    for found in (store, pickle.loads(pickle.dumps(store))):
        assert holds(found, 0, 1)
        assert found.check(text_key("1"))
    store.put_many(items(2))
    assert holds(store, 0, 1, 2)
    flip(store, 2 * WIDTH + 5)
    assert store.check(text_key("1"))  # nothing tells
    os.truncate(store.folder / "00000.bin", 40)
    assert not store.check(text_key("1"))
    assert not store.check(text_key("2"))


def test_an_index_that_is_no_database_is_named(store: ArrayStore) -> None:
    store.folder.mkdir(parents=True)
    (store.folder / "index.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(DataError, match=r"index\.sqlite"):
        store.get(text_key("1"))


@pytest.mark.parametrize(
    "change",
    [
        "shard = 'x'",
        "start = NULL",
        "frames = x'ff'",
        "frames = 4000000000",
        "frames = -1",
        "start = -8",
        "start = 1000000000000",
        "frames = 1000000000",
        "shard = 5",
    ],
)
def test_an_index_with_other_values_is_damaged(tmp_path, change):
    key = "ab" * 32
    ArrayStore(tmp_path, {}, 3).put_many([(key, np.ones((4, 3)))])
    (folder,) = tmp_path.iterdir()
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as database, database:
        database.execute(f"UPDATE rows SET {change}")
    with pytest.raises(DataError, match=str(folder)):
        ArrayStore(tmp_path, {}, 3).get(key)
