"""The folder of a batch: each item has one row, whenever the run is killed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from auricle.batch import folder as rooms
from auricle.batch.folder import Folder
from auricle.batch.items import Item
from auricle.batch.job import chunk_of, chunks_of
from auricle.batch.rows import done, failed
from auricle.shards import read_folder, shards_in
from tests.helpers.scripted_task import scripted_job

ITEMS = [
    Item(f"{n:030}{end}", f"/a{n}.wav", "file", f"/a{n}.wav")
    for n, end in enumerate(("00", "10", "ff", "0a", "00", "01"))
]


@pytest.fixture(params=["parquet", "jsonl"])
def job(request, tmp_path):
    return scripted_job(tmp_path / "out", format=request.param)


def commit(folder, items, name_of=None):
    rows = [done(one, 1.0) | {"caption": one.audio} for one in items]
    folder.files.write(chunk_of(name_of or items), rows)


def ids(job):
    return sorted(row["id"] for row in read_folder(Folder(job).path))


def test_the_plan_has_each_item_once_and_pending_is_the_rest(job):
    with Folder(job) as folder:
        commit(folder, ITEMS[:2])
        folder.merge_all()
        assert folder.plan([*ITEMS, ITEMS[3]]) == 6
        assert list(folder.pending()) == ITEMS[2:]
        assert (folder.rows, folder.left()) == (2, 4)


def test_names_that_are_not_unicode_are_planned(job):
    odd = Item("0" * 32, "/a\udcff.wav", "file", "/a\udcff.wav")
    with Folder(job) as folder:
        folder.plan([odd])
        assert list(folder.pending()) == [odd]


def test_a_kill_between_shard_and_deletion_leaves_no_row_twice(job, monkeypatch):
    with Folder(job) as folder, monkeypatch.context() as kill:
        commit(folder, ITEMS[:3])
        kill.setattr("pathlib.Path.unlink", lambda *_, **__: None)
        folder.merge_all()
        kill.undo()
        assert len(folder.files.of()) == 1
    with Folder(job) as folder:
        assert folder.rows == 3
        assert folder.files.of() == []
    assert ids(job) == [one.id for one in ITEMS[:3]]


def test_what_a_late_worker_commits_again_is_dropped(job):
    with Folder(job) as folder:
        commit(folder, ITEMS[:3])
        folder.merge_all()
        commit(folder, ITEMS[2:5])  # other chunks, with some of the same items
        commit(folder, ITEMS[4:])
        folder.merge_all()
        assert folder.rows == 6
    assert ids(job) == sorted(one.id for one in ITEMS)


def test_a_shard_is_written_when_it_is_due(job, monkeypatch):
    monkeypatch.setattr(rooms, "SHARD_ROWS", 3)
    with Folder(job) as folder:
        for chunk in chunks_of(ITEMS, 2):
            commit(folder, chunk.items)
            folder.take(chunk.name)
        assert len(shards_in(folder.path)) == 1
        folder.merge_all()
    assert [one.stem for one in shards_in(folder.path)] == ["shard-00000", "shard-00001"]


def test_parts_of_a_chunk_count_as_done_by_it(job):
    with Folder(job) as folder:
        commit(folder, ITEMS[:2], name_of=ITEMS)
        commit(folder, ITEMS[2:3], name_of=ITEMS)
        found = [row["id"] for row in folder.files.rows(chunk_of(ITEMS))]
    assert sorted(found) == [one.id for one in ITEMS[:3]]


def test_failures_are_counted_and_forgotten(job):
    with Folder(job) as folder:
        commit(folder, ITEMS[:2])
        folder.merge_all()
        for item, kind in zip(ITEMS[2:], ("audio", "audio", "crash"), strict=False):
            folder.files.write(chunk_of([item]), [failed(item, kind, "why")])
        folder.merge_all()
        commit(folder, ITEMS[5:])
    with Folder(job) as folder:
        assert folder.failed == Counter(audio=2, crash=1)
        folder.forget_failed()
        assert (folder.failed, folder.rows) == (Counter(), 3)
        folder.plan(ITEMS)
        assert list(folder.pending()) == ITEMS[2:5]


def test_ids_are_told_apart_to_the_last_byte(job):
    found = np.array([bytes.fromhex(one.id) for one in ITEMS], rooms.ID)
    assert len(np.unique(found)) == 6
    with Folder(job) as folder:
        commit(folder, ITEMS)
        folder.merge_all()
    assert ids(job) == sorted(one.id for one in ITEMS)
