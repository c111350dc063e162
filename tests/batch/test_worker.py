"""Workers commit early, and do nothing twice."""

from __future__ import annotations

import pytest

from auricle.batch import worker as workers
from auricle.batch.inputs import items_of
from auricle.batch.items import open_item
from auricle.batch.job import chunk_of
from tests.helpers.scripted_task import scripted_job, scripted_worker, write_files


@pytest.fixture
def work(tmp_path):
    """``work(*names)`` -> a worker, what does the chunk of these recordings with it, and the names
    of those that it opened."""

    def make(*names):
        folder = write_files(tmp_path / "in", names)
        (tmp_path / "out").mkdir()
        opened = []

        def opener(item):
            opened.append(item.audio.removeprefix(f"{folder}/").removesuffix(".wav"))
            return open_item(item)

        worker = scripted_worker(scripted_job(tmp_path / "out"))
        chunk = chunk_of(list(items_of(str(folder))))
        return worker, lambda: worker.do(chunk, opener), opened

    return make


def files(tmp_path):
    return list((tmp_path / "out" / ".job" / "chunks").glob("*.parquet"))


def test_what_is_committed_is_not_done_again(work, tmp_path):
    _, do, opened = work("a", "b", "c")
    first = do()
    again = do()
    assert opened == ["a", "b", "c"]
    assert (again.name, again.done, again.audio_s) == (first.name, 3, 3.0)
    assert len(files(tmp_path)) == 1


def test_slow_work_is_committed_in_parts(work, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "COMMIT_S", 0.0)
    _, do, _ = work("a", "b", "c")
    assert do().done == 3
    assert len(files(tmp_path)) == 3


def test_a_fault_loses_nothing_that_was_done(work, tmp_path):
    _, do, opened = work("a", "b", "fault", "z")
    for _ in range(2):
        with pytest.raises(ValueError, match="a fault"):
            do()
    assert opened == ["a", "b", "fault", "fault"]


@pytest.mark.parametrize(("name", "size", "failed"), [("large", 4, {}), ("huge", 8, {"memory": 1})])
def test_a_smaller_batch_stays_unless_one_recording_alone_was_too_large(work, name, size, failed):
    worker, do, _ = work("a", name)
    assert do().failed == failed
    assert worker._batch_size == size
