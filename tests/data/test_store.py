"""Stored arrays: what is read is what was put, in every process, and after a kill."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.data import index
from auricle.data.index import Index
from auricle.data.keys import text_key
from auricle.data.store import ArrayStore
from auricle.errors import DataError
from tests.helpers.paths import ROOT

WIDTH = 8


def array(number: int) -> np.ndarray:
    """1 to 5 frames that only ``number`` has."""
    rng = np.random.default_rng(number)
    return rng.standard_normal((1 + number % 5, WIDTH)).astype(np.float16)


def items(*numbers: int) -> list[tuple[str, np.ndarray]]:
    return [(text_key(str(number)), array(number)) for number in numbers]


def holds(store: ArrayStore, *numbers: int) -> bool:
    return all(np.array_equal(store.get(key), value) for key, value in items(*numbers))


@pytest.fixture
def store(tmp_path: Path) -> ArrayStore:
    return ArrayStore(tmp_path, {"layer": 10}, WIDTH)


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


CLAIM = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.data.test_store import WIDTH, ArrayStore, items
store = ArrayStore(sys.argv[1], {}, WIDTH)
for key, _ in items(1, 2):
    assert store.claim(key)
print("claimed", flush=True)
sys.stdin.readline()
store.put_many(items(1))
store.release([items(1)[0][0]])
print("released", flush=True)
sys.stdin.readline()
"""


def test_a_claim_ends_with_its_release_or_its_process(tmp_path: Path) -> None:
    store = ArrayStore(tmp_path, {}, WIDTH)
    first, second, third = (text_key(str(number)) for number in (1, 2, 3))
    command = [sys.executable, "-c", CLAIM, str(tmp_path), str(ROOT)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, bufsize=1, **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == "claimed\n"
        assert [store.claim(key) for key in (first, second, third)] == [False, False, True]
        other.stdin.write("\n")
        assert other.stdout.readline() == "released\n"
        assert [store.claim(first), store.claim(second)] == [True, False]
        assert first in store
        threading.Timer(0.2, other.kill).start()
        assert store.claim(second, wait=True)
        assert other.wait() == -signal.SIGKILL
    store.release_all()


def test_an_index_that_is_no_database_is_named(store: ArrayStore) -> None:
    store.folder.mkdir(parents=True)
    (store.folder / "index.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(DataError, match=r"index\.sqlite"):
        store.get(text_key("1"))


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


def _read(store: ArrayStore, numbers: range, answers: multiprocessing.Queue) -> None:
    answers.put(holds(store, *numbers))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_the_store_of_their_parent(store: ArrayStore, method: str) -> None:
    store.put_many(items(*range(10)))
    assert holds(store, *range(10))  # everything that can be open is open
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    workers = [
        context.Process(target=_read, args=(store, range(10), answers))  # type: ignore[attr-defined]
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    assert all(answers.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()


def test_nothing_of_sqlite_stays_open(store: ArrayStore) -> None:
    store.put_many(items(*range(10)))
    assert holds(store, *range(10))
    opened = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
    mine = {path.name for path in opened if path.parent == store.folder.resolve()}
    assert mine == {"00000.bin"}


def test_writers_take_turns(tmp_path: Path) -> None:
    def write(first: int) -> None:
        mine = ArrayStore(tmp_path, {}, WIDTH, shard_bytes=200)
        for number in range(first, first + 20):
            mine.put_many(items(number))

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 10, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = ArrayStore(tmp_path, {}, WIDTH, shard_bytes=200)
    assert len(store) == 50
    assert holds(store, *range(50))
    with contextlib.closing(sqlite3.connect(store.folder / "index.sqlite")) as connection:
        query = "SELECT shard, start, frames FROM rows ORDER BY shard, start"
        rows = connection.execute(query).fetchall()
    ends: dict[int, int] = {}
    for shard, start, frames in rows:  # end to end, nothing twice and nothing between
        assert start == ends.get(shard, 0)
        ends[shard] = start + frames * WIDTH * 2


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.data.test_store import WIDTH, ArrayStore, items
store = ArrayStore(sys.argv[1], {}, WIDTH, shard_bytes=2000)
for number in range(100_000):
    if items(number)[0][0] not in store:
        store.put_many(items(number, number + 1))
        print(number, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    done = -1
    for _ in range(4):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(ROOT)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        done = max(done, int(writer.stdout.readline()))
        time.sleep(rng.uniform(0.0, 0.1))
        writer.send_signal(signal.SIGKILL)
        reported = writer.stdout.read().split()
        done = max(done, int(reported[-1]) if reported else -1)
        writer.wait()
        store = ArrayStore(tmp_path, {}, WIDTH, shard_bytes=2000)
        assert holds(store, *range(done + 2))
        store.put_many(items(100_000))
        assert holds(store, 100_000)
    assert done >= 3


FULL = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from tests.data.test_store import WIDTH, ArrayStore, DataError, holds, items
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
