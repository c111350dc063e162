"""Stored arrays: what is read is what was put, also where a disk is full."""

from __future__ import annotations

import pickle
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.data import index
from auricle.data.index import Index
from auricle.data.keys import text_key
from auricle.data.store import ArrayStore
from auricle.errors import DataError
from tests.helpers.arrays import WIDTH, array, holds, items
from tests.helpers.paths import ROOT


def test_what_was_put_is_read(store: ArrayStore) -> None:
    assert len(store) == 0
    assert text_key("3") not in store
    store.put_many(items(*range(20)))
    assert len(store) == 20
    assert holds(store, *range(20))
    assert store.frames(text_key("3")) == 4
    assert store.frames(text_key("20")) is None
    with pytest.raises(DataError, match=text_key("20")):
        store.get(text_key("20"))


def test_an_array_read_is_the_readers_own(store: ArrayStore) -> None:
    store.put_many(items(1))
    store.get(text_key("1"))[:] = 0
    assert holds(store, 1)


def test_float32_is_kept_whole_and_float16_rounded(tmp_path: Path) -> None:
    exact = np.full((1, WIDTH), 1 / 3, np.float32)
    for dtype in ("float16", "float32"):
        store = ArrayStore(tmp_path, {}, WIDTH, dtype)  # type: ignore[arg-type]
        store.put_many([(text_key("x"), exact)])
        found = store.get(text_key("x"))
        assert found.dtype == dtype
        assert np.array_equal(found, exact.astype(dtype))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_values_that_float16_cannot_hold_are_refused(store: ArrayStore, value: float) -> None:
    with pytest.raises(DataError, match="not finite"):
        store.put_many([*items(1), (text_key("x"), np.full((1, WIDTH), value))])
    assert len(store) == 0


def test_keys_that_end_in_zeros(store: ArrayStore) -> None:
    keys = [f"{'ab' * 30}0000", f"{'ab' * 31}00", "00" * 32, "ab" * 32]
    store.put_many([(key, array(place)) for place, key in enumerate(keys)])
    for place, key in enumerate(keys):
        assert np.array_equal(store.get(key), array(place))
    assert f"{'ab' * 29}000000" not in store


def test_other_settings_are_another_store(tmp_path: Path) -> None:
    store = ArrayStore(tmp_path, {"layer": 10}, WIDTH)
    store.put_many(items(1))
    others = [
        ArrayStore(tmp_path, {"layer": 11}, WIDTH),
        ArrayStore(tmp_path, {"layer": 10}, WIDTH, "float32"),
        ArrayStore(tmp_path, {"layer": 10}, WIDTH + 1),
    ]
    assert len({other.folder for other in [store, *others]}) == 4
    assert not any(text_key("1") in other for other in others)
    assert text_key("1") in ArrayStore(tmp_path, {"layer": 10}, WIDTH)


def test_shards_are_closed_at_their_size(tmp_path: Path) -> None:
    store = ArrayStore(tmp_path, {}, WIDTH, shard_bytes=100)
    for number in range(12):
        store.put_many(items(number))
    sizes = [path.stat().st_size for path in sorted(store.folder.glob("*.bin"))]
    assert len(sizes) > 2
    assert all(100 <= size < 100 + 5 * WIDTH * 2 for size in sizes[:-1])
    assert holds(ArrayStore(tmp_path, {}, WIDTH, shard_bytes=100), *range(12))


def test_what_is_there_already_is_not_put_again(store: ArrayStore) -> None:
    store.put_many(items(1, 2, 2))
    size = (store.folder / "00000.bin").stat().st_size
    store.put_many([(text_key("1"), array(7)), *items(2)])
    assert (store.folder / "00000.bin").stat().st_size == size
    assert len(store) == 2
    assert holds(store, 1, 2)


def test_bytes_that_no_row_speaks_of_are_written_over(store: ArrayStore) -> None:
    store.put_many(items(0, 1))
    with (store.folder / "00000.bin").open("ab") as file:
        file.write(b"half an array")
    store.put_many(items(2, 3))
    assert holds(store, 0, 1, 2, 3)
    size = sum(value.nbytes for _, value in items(0, 1, 2, 3))
    assert (store.folder / "00000.bin").stat().st_size == size


def test_rows_come_through_the_recent_ones_and_the_merged(
    store: ArrayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "RECENT", 3)
    reader = pickle.loads(pickle.dumps(store))
    for number in range(12):
        store.put_many(items(number))
        assert len(reader) == number + 1
        assert holds(reader, number)
    assert holds(reader, *range(12))
    assert holds(store, *range(12))


def test_rows_committed_within_a_tick_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite"
    one, other = Index(path, {"n": "i8"}), Index(path, {"n": "i8"})
    for number in range(50):
        one.add([(text_key(str(number)), number)])
        assert other.find(text_key(str(number))) == (number,)
    assert one.last() == (49,)


FULL = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from auricle.data.store import ArrayStore
from auricle.errors import DataError
from tests.helpers.arrays import WIDTH, holds, items
store = ArrayStore(sys.argv[1], {}, WIDTH)
store.put_many(items(*range(10)))
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
try:
    store.put_many(items(*range(10, 2000)))
except DataError as error:
    print(error)
assert holds(store, *range(10)) and len(store) == 10
assert (store.folder / "00000.bin").stat().st_size < 2000
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.put_many(items(*range(10, 2000)))
assert holds(store, *range(2000))
print("went on")
"""


def test_a_full_disk(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE
    command = [sys.executable, "-c", FULL, str(tmp_path), str(ROOT)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "0.1 MB cannot be written (File too large" in said[0]
    assert "make room" in said[0]
    assert said[1] == "went on"


def test_a_disk_that_is_full_when_rows_are_committed(
    store: ArrayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_many(items(0))
    connect = sqlite3.connect

    def full(*args: Any, **settings: Any) -> sqlite3.Connection:
        connection = connect(*args, **settings)
        connection.execute("PRAGMA max_page_count = 1")  # SQLite's own way of a full disk
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(index.sqlite3, "connect", full)
        with pytest.raises(DataError, match="disk is full"):
            store.put_many(items(*range(1, 200)))
    assert len(store) == 1
    store.put_many(items(2, 3))
    assert holds(store, 0, 2, 3)
    assert text_key("1") not in store


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        ArrayStore(tmp_path / "file", {}, WIDTH).put_many(items(1))
