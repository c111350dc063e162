"""The store of jobs: nothing that is acknowledged is lost, nothing that is erased stays."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from auricle.errors import DataError, OutputError
from auricle.serve.jobs.store import NAME, NotRunningError, Store
from auricle.serve.problems import RequestError
from auricle.serve.uploads import Upload

REQUEST = json.dumps({"task": ["timeline"], "model": ["tiny"]})


class Clock:
    now = 1_000_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    with Store(tmp_path / "data", keep_s=60, clock=clock) as store:
        yield store


def upload(tmp_path, content=b"sound", name="a.wav"):
    path = tmp_path / "sent"
    path.write_bytes(content)
    return Upload(path, name)


def after_a_crash(tmp_path, number=1, **settings):
    """The store of a process that began with the files that another one had at this moment."""
    here, there = (tmp_path / f"data{n or ''}" for n in (number - 1, number))
    shutil.copytree(here, there)
    return Store(there, **settings)


def kinds(store, job):
    return [event.kind for event in store.events(job, 0)]


def uploads(tmp_path, folder="data"):
    return sorted(path.name for path in (tmp_path / folder / "uploads").iterdir())


def test_a_new_job_waits_with_its_upload(store, tmp_path):
    sent = upload(tmp_path)
    job = store.add(REQUEST, sent)
    assert not sent.path.exists()
    assert store.upload_path(job.id).read_bytes() == b"sound"
    assert job.status() == {
        "id": job.id,
        "state": "queued",
        "audio": "a.wav",
        "tasks": ["timeline"],
        "models": ["tiny"],
        "duration_s": None,
        "created": "2001-09-09T01:46:40.000Z",
        "started": None,
        "finished": None,
        "expires": None,
        "progress": None,
        "error": None,
    }
    (event,) = store.events(job, 0)
    assert (event.kind, json.loads(event.data)) == ("state", job.status())
    assert store.find(job.id).status() == job.status()
    other = store.add(REQUEST, upload(tmp_path))
    assert other.id != job.id
    assert min(len(job.id), len(other.id)) >= 22


def test_a_job_from_its_begin_to_its_end(store, tmp_path, clock):
    added = store.add(REQUEST, upload(tmp_path))
    job = store.claim()
    assert (job.id, job.state, job.attempts) == (added.id, "running", 1)
    store.write(job, "progress", {"stage": "timeline tiny", "done": 1, "total": 2})
    store.measured(job, 2.0)
    store.measured(job, 2.0)  # is no news
    store.write(job, "timeline", {"caption": "비"})
    assert store.find(job.id).status()["progress"] == {
        "stage": "timeline tiny",
        "done": 1,
        "total": 2,
    }
    clock.now += 5
    store.finish(job, "done")
    assert kinds(store, job) == ["state", "state", "state", "timeline", "end"]
    found, result = store.with_result(job.id)
    status = found.status()
    assert (status["state"], status["duration_s"], status["progress"]) == ("done", 2.0, None)
    assert status["finished"] == "2001-09-09T01:46:45.000Z"
    assert status["expires"] == "2001-09-09T01:47:45.000Z"
    assert json.loads(store.events(job, 0)[-1].data) == status
    assert json.loads(result) == {
        "captions": [],
        "timeline": [{"caption": "비"}],
        "words": [],
        "notes": [],
        "picture": None,
    }
    assert uploads(tmp_path) == []


def test_only_the_latest_progress_is_kept(store, tmp_path):
    store.add(REQUEST, upload(tmp_path))
    job = store.claim()
    for done in range(5):
        store.write(job, "progress", {"done": done})
        store.write(job, "timeline", {"number": done})
    events = store.events(job, 0)
    assert [event.kind for event in events][2:] == ["timeline"] * 4 + ["progress", "timeline"]
    numbers = [event.number for event in events]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 12  # those of the others are not used again


def test_the_queue_is_in_order(store, tmp_path):
    ids = [store.add(REQUEST, upload(tmp_path)).id for _ in range(3)]
    store.cancel(ids[1])
    assert [store.claim().id, store.claim().id, store.claim()] == [ids[0], ids[2], None]


def test_after_a_crash_jobs_begin_anew_in_their_order(store, tmp_path, clock):
    first, second, third = (store.add(REQUEST, upload(tmp_path)) for _ in range(3))
    store.finish(store.claim(), "done")
    running = store.claim()
    store.write(running, "timeline", {"caption": "seen before the crash"})
    seen = store.events(running, 0)[-1].number
    with after_a_crash(tmp_path, clock=clock) as again:
        assert [again.find(job.id).state for job in (first, second, third)] == [
            "done",
            "queued",
            "queued",
        ]
        assert again.with_result(second.id)[1] == again.with_result(third.id)[1]  # empty
        job = again.claim()
        assert (job.id, job.attempts) == (second.id, 2)
        assert again.upload_path(job.id).read_bytes() == b"sound"
        again.write(job, "timeline", {"caption": "seen now"})
        told = [event.kind for event in again.events(job, seen)]
        assert told == ["state", "state", "timeline"]  # queued, running, and what is found now
        assert again.events(job, 0) == again.events(job, seen)
        assert again.claim().id == third.id


def test_a_job_that_ends_the_service_three_times_has_failed(store, tmp_path):
    job = store.add(REQUEST, upload(tmp_path))
    store.claim()
    for number in (1, 2):
        with after_a_crash(tmp_path, number) as again:
            assert again.claim().attempts == number + 1
    with after_a_crash(tmp_path, 3) as again:
        status = again.find(job.id).status()
        assert (status["state"], status["error"]["code"]) == ("failed", "interrupted")
        assert "ended 3 times" in status["error"]["message"]
        assert again.events(job, 0)[-1].kind == "end"
        assert again.claim() is None
    assert uploads(tmp_path, "data3") == []


def test_what_is_handed_back_has_not_been_begun(store, tmp_path):
    waits = [store.add(REQUEST, upload(tmp_path)) for _ in range(2)]
    job = store.claim()
    store.write(job, "timeline", {})
    store.hand_back()
    assert kinds(store, job) == ["state"]
    assert store.find(job.id).status()["started"] is None
    for late in (
        lambda: store.write(job, "timeline", {}),
        lambda: store.measured(job, 1.0),
        lambda: store.finish(job, "done"),
    ):
        with pytest.raises(NotRunningError):
            late()
    job = store.claim()
    assert (job.id, job.attempts) == (waits[0].id, 1)


def test_results_expire(store, tmp_path, clock):
    job = store.add(REQUEST, upload(tmp_path))
    store.finish(store.claim(), "done")
    waits = store.add(REQUEST, upload(tmp_path))
    clock.now += 59.9
    store.expire()
    assert store.find(job.id)
    clock.now += 0.2
    assert store.find(job.id) is None  # also before it is erased
    assert store.with_result(job.id) is None
    assert not store.erase(job.id)
    assert store.cancel(job.id) is None
    store.expire()
    assert store.events(job, 0) == []
    assert store.counts() == {"queued": 1}
    clock.now += 1e6
    store.expire()
    assert store.find(waits.id)


def test_what_is_erased_is_not_in_the_files(store, tmp_path):
    job = store.add(REQUEST, upload(tmp_path, name="very secret.wav"))
    store.write(store.claim(), "timeline", {"caption": "very secret"})
    store.cancel(job.id)
    assert store.erase(job.id)
    store.close()
    assert b"very secret" not in (tmp_path / "data" / NAME).read_bytes()
    assert not list((tmp_path / "data").glob("*-wal"))


@pytest.mark.parametrize("running", [False, True])
def test_a_cancelled_job(store, tmp_path, running):
    job = store.add(REQUEST, upload(tmp_path))
    if running:
        store.claim()
        store.write(job, "note", "kept")
    cancelled = store.cancel(job.id)
    assert (cancelled.state, cancelled.is_finished) == ("cancelled", True)
    assert uploads(tmp_path) == []
    with pytest.raises(NotRunningError):
        store.write(job, "timeline", {})
    assert kinds(store, job)[-1] == "end"
    assert json.loads(store.with_result(job.id)[1])["notes"] == ["kept"] * running
    assert store.cancel(job.id) is None
    assert store.erase(job.id)
    assert not store.erase(job.id)
    assert store.find(job.id) is None


def test_an_id_is_no_path(store, tmp_path):
    (tmp_path / "other").write_text("stays")
    assert not store.erase("../../other")
    assert store.cancel("../../other") is None
    assert (tmp_path / "other").exists()


def test_jobs_and_their_bytes_are_bounded(tmp_path):
    with Store(tmp_path / "data", max_jobs=2, max_bytes=10) as store:
        first = store.add(REQUEST, upload(tmp_path, b"123456"))
        with pytest.raises(RequestError, match=r"1 jobs .* no room") as full:
            store.add(REQUEST, upload(tmp_path, b"12345"))
        assert (full.value.status, full.value.code) == (429, "too_many_jobs")
        assert full.value.retry_after_s > 0
        assert uploads(tmp_path) == [first.id]
        store.add(REQUEST, upload(tmp_path, b"1234"))
        with pytest.raises(RequestError, match="2 jobs"):
            store.add(REQUEST, upload(tmp_path, b""))
        store.cancel(first.id)
        store.add(REQUEST, upload(tmp_path, b"123456"))


def test_an_upload_may_come_from_another_disk(store, tmp_path, monkeypatch):
    def rename(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.rename", rename)
    sent = upload(tmp_path)
    job = store.add(REQUEST, sent)
    assert store.upload_path(job.id).read_bytes() == b"sound"
    assert not sent.path.exists()


def test_a_full_disk_is_told_and_leaves_nothing(store, tmp_path, monkeypatch):
    def full(source, target):
        Path(target).write_bytes(b"so")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.move", full)
    with pytest.raises(RequestError, match="disk is full") as error:
        store.add(REQUEST, upload(tmp_path))
    assert error.value.status == 503
    assert uploads(tmp_path) == []
    assert store.counts() == {}


def test_uploads_without_a_job_are_erased_at_the_start(store, tmp_path):
    job = store.add(REQUEST, upload(tmp_path))
    store.upload_path("of a request that was never acknowledged").write_bytes(b"x")
    with after_a_crash(tmp_path):
        assert uploads(tmp_path, "data1") == [job.id]


def test_numbers_that_json_has_not_are_refused(store, tmp_path):
    store.add(REQUEST, upload(tmp_path))
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write(store.claim(), "caption", {"score": float("nan")})


def test_one_service_per_folder(store, tmp_path):
    with pytest.raises(DataError, match=r"data: another auricle serve works with it.*--data"):
        Store(tmp_path / "data")
    store.close()
    Store(tmp_path / "data").close()


def test_other_files_are_refused(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match=r"file: cannot be written .*--data"):
        Store(tmp_path / "file")
    (tmp_path / NAME).write_bytes(b"no database, but long enough for a header" * 100)
    with pytest.raises(DataError, match=r"cannot be used .*move it away"):
        Store(tmp_path)
    (tmp_path / NAME).unlink()
    with sqlite3.connect(tmp_path / NAME) as other:
        other.execute("CREATE TABLE jobs (number)")
    with pytest.raises(DataError, match="of another program; move it away"):
        Store(tmp_path)
    (tmp_path / NAME).unlink()
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / NAME) as newer:
        newer.execute("PRAGMA user_version = 2")
    with pytest.raises(DataError, match="of version 2, not 1; move it away"):
        Store(tmp_path)
