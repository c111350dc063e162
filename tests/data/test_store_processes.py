"""Stores that several processes use: claims, workers, writers by turns, and kills."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from auricle.data.keys import text_key
from auricle.data.store import ArrayStore
from tests.helpers.arrays import WIDTH, holds, items
from tests.helpers.paths import ROOT

CLAIM = """
import sys
sys.path.insert(0, sys.argv[2])
from auricle.data.store import ArrayStore
from tests.helpers.arrays import WIDTH, items
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
from auricle.data.store import ArrayStore
from tests.helpers.arrays import WIDTH, items
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
