"""Jobs from the queue to their end: events in order, stops at any time, failures of every kind."""

import asyncio
import json
import logging
import sqlite3
import threading
import time

import pytest
import soundfile

from auricle.errors import AudioError, ModelError
from auricle.serve.jobs import runner
from auricle.serve.jobs.order import Order
from auricle.serve.jobs.runner import Jobs
from auricle.serve.problems import RequestError
from auricle.serve.uploads import Upload, base_name
from tests.helpers.sounds import tone
from tests.helpers.stub_captioner import StubCaptioner
from tests.helpers.stub_service import stub_service

SECONDS = 7  # three timed captions of the stub


class Hooked:
    """A timeline after each of whose captions something happens."""

    note = None

    def __init__(self, found, after):
        self.sound, self._found, self._after = found.sound, found, after

    def __iter__(self):
        for caption in self._found:
            yield caption
            self._after()

    def close(self):
        pass


class Gate(StubCaptioner):
    """A captioner whose timelines wait, after each caption, until they may go on."""

    def __init__(self):
        self.waits, self.goes_on = threading.Event(), threading.Semaphore(0)

    def timeline(self, *given, **settings):
        return Hooked(super().timeline(*given, **settings), self._wait)

    def _wait(self):
        self.waits.set()
        assert self.goes_on.acquire(timeout=20)


class Broken(StubCaptioner):
    """A captioner whose timelines end by ``error`` after a caption."""

    def __init__(self, error):
        self.error = error

    def timeline(self, *given, **settings):
        return Hooked(super().timeline(*given, **settings), self._fail)

    def _fail(self):
        raise self.error


@pytest.fixture
def started(tmp_path):
    """``started(captioner, **config)`` -> the running jobs of a stub service."""
    ends = []

    def start(captioner=None, **config):
        service = stub_service(tmp_path / "data", captioner, **config)
        service.__enter__()
        ends.append(service)
        return service.entered(Jobs(service))

    yield start
    for service in ends:
        service.__exit__()


@pytest.fixture
def order(tmp_path):
    """``order(jobs, tasks…)`` -> a new job of `SECONDS` of sound."""

    def add(jobs, *tasks, name="a.wav", **fields):
        path = tmp_path / "sent.wav"
        soundfile.write(path, tone(SECONDS), 16_000)
        wanted = Order(task=list(tasks) or ["timeline"], **fields).checked(jobs.service)
        return jobs.add(wanted, Upload(path, name))

    return add


def followed(jobs, job, after=0, most=None):
    """The events of a job, to its end or the service's, or the first ``most`` of them."""

    async def follow():
        events = []
        async for event in jobs.events(job, after):
            events.append(event)
            if len(events) == most:
                break
        return events

    return asyncio.run(asyncio.wait_for(follow(), 20))


def told(events):
    return [event.kind for event in events if event and event.kind != "progress"]


def last_status(events):
    assert events[-1].kind == "end"
    return json.loads(events[-1].data)


def result(jobs, job):
    return json.loads(jobs.store.with_result(job.id)[1])


def test_events_come_in_the_order_of_the_tasks(started, order):
    jobs = started()
    job = order(jobs, "timeline", "caption", "picture", "caption", model=["tiny", "other"])
    events = followed(jobs, job)
    status = last_status(events)
    assert (status["state"], status["error"], status["duration_s"]) == ("done", None, 7.0)
    assert status["tasks"] == ["timeline", "caption", "picture"]
    assert status["models"] == ["tiny", "other"]
    assert told(events) == [
        *("state", "state", "state", "picture", "note", "caption", "caption"),
        *["timeline"] * 6,
        "end",
    ]
    found = result(jobs, job)
    assert [len(found[name]) for name in ("captions", "timeline", "notes")] == [2, 6, 1]
    assert found["picture"]["duration_s"] == SECONDS
    assert {record["audio"] for record in found["captions"] + found["timeline"]} == {"a.wav"}


def test_stages_tell_their_progress(started, order):
    captioner = Gate()
    jobs = started(captioner)
    job = order(jobs, "timeline")
    assert captioner.waits.wait(10)
    progress = jobs.store.find(job.id).status()["progress"]
    assert progress["stage"] == "timeline tiny"
    time.sleep(runner.EVERY_S)
    captioner.goes_on.release(10)
    events = followed(jobs, job)
    assert "progress" not in told(jobs.store.events(job, 0))  # none is kept at the end
    assert max(event.number for event in events) > len(events)  # but it was told


def test_progress_is_not_told_too_often(started, order, monkeypatch):
    jobs = started()
    job = order(jobs, "timeline")
    last_status(followed(jobs, job))
    stored = jobs.store.find(job.id).last
    assert stored < 12
    writes = []
    monkeypatch.setattr(jobs.store, "write", lambda *given: writes.append(given))
    progress = jobs._progress_of(job)
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        progress("timeline", 1, 2)
        time.sleep(0.01)
    assert 2 <= len(writes) <= 3
    progress("the next step", 0, 2)
    assert len(writes) <= 4


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (AudioError("a.wav: damaged"), "unusable_recording", "a.wav: damaged"),
        (RequestError(404, "model_not_found", "no such model"), "model_not_found", "no such model"),
        (KeyError("inner secret"), "internal_error", "its log says why"),
        (ModelError("/etc/inner secret"), "internal_error", "its log says why"),
        (MemoryError("inner secret"), "internal_error", "its log says why"),
    ],
)
def test_a_failure_keeps_what_was_found(started, order, caplog, error, code, message):
    jobs = started(Broken(error))
    job = order(jobs, "picture", "timeline", name="private.wav")
    with caplog.at_level(logging.INFO, "auricle.serve"):
        events = followed(jobs, job)
    status = last_status(events)
    assert (status["state"], status["error"]["code"]) == ("failed", code)
    assert message in status["error"]["message"]
    assert told(events)[-3:] == ["picture", "timeline", "end"]
    assert len(result(jobs, job)["timeline"]) == 1
    assert "secret" not in status["error"]["message"] + caplog.text
    assert "private" not in caplog.text
    assert (type(error).__name__ in caplog.text) == (code == "internal_error")
    assert followed(jobs, order(jobs, "picture"))[-1].kind == "end"  # the thread works on


def test_a_recording_that_is_none_fails(started, tmp_path):
    jobs = started()
    (tmp_path / "sent").write_bytes(b"no sound")
    job = jobs.add(
        Order(task=["picture"]).checked(jobs.service), Upload(tmp_path / "sent", "b.wav")
    )
    status = last_status(followed(jobs, job))
    assert status["error"]["code"] == "unusable_recording"
    assert status["error"]["message"].startswith("b.wav: ")


def test_a_running_job_is_cancelled_and_the_next_one_begins(started, order):
    captioner = Gate()
    jobs = started(captioner)
    first, second = order(jobs), order(jobs)
    assert captioner.waits.wait(10)
    assert jobs.store.find(second.id).state == "queued"
    assert jobs.cancel(first.id).state == "cancelled"
    assert told(followed(jobs, first))[-2:] == ["timeline", "end"]
    captioner.goes_on.release(10)
    assert last_status(followed(jobs, second))["state"] == "done"
    assert jobs.store.find(first.id).state == "cancelled"
    assert len(result(jobs, first)["timeline"]) == 1


def test_a_cancelled_job_is_not_begun(started, order):
    captioner = Gate()
    jobs = started(captioner)
    order(jobs)
    waits, last = order(jobs), order(jobs)
    jobs.cancel(waits.id)
    captioner.goes_on.release(100)
    last_status(followed(jobs, last))
    assert told(followed(jobs, waits)) == ["state", "end"]


def test_whoever_follows_is_woken_by_what_happens(started, order, monkeypatch):
    """Not by the clock."""
    monkeypatch.setattr(runner, "HEARTBEAT_S", 1000.0)
    captioner = Gate()
    jobs = started(captioner)
    job = order(jobs)

    async def follow():
        seen = []
        async for event in jobs.events(job, 0):
            seen.append(event.kind)
            if event.kind == "timeline":
                captioner.goes_on.release()
        return seen

    assert asyncio.run(asyncio.wait_for(follow(), 10)).count("timeline") == 3


def test_a_stream_has_heartbeats(started, order, monkeypatch):
    monkeypatch.setattr(runner, "HEARTBEAT_S", 0.02)
    captioner = Gate()
    jobs = started(captioner)
    job = order(jobs)
    assert captioner.waits.wait(10)
    events = followed(jobs, job, most=8)
    assert events[-3:] == [None] * 3
    captioner.goes_on.release(10)


def test_who_continues_after_a_number_misses_nothing(started, order):
    captioner = Gate()
    jobs = started(captioner)
    job = order(jobs, "picture", "timeline")
    seen = []
    while not seen or seen[-1].kind != "end":  # the connection breaks after every event
        seen += followed(jobs, job, seen[-1].number if seen else 0, most=1)
        captioner.goes_on.release()
    assert told(seen) == ["state"] * 3 + ["picture", *["timeline"] * 3, "end"]
    numbers = [event.number for event in seen]
    assert numbers == sorted(set(numbers))
    last = numbers[-1]
    for after in range(last + 1):
        assert followed(jobs, job, after) == [
            event for event in jobs.store.events(job, 0) if event.number > after
        ]
    assert followed(jobs, job, last + 100) == []


def test_a_stream_ends_when_its_job_is_erased(started, order):
    captioner = Gate()
    jobs = started(captioner)
    job = order(jobs)
    assert captioner.waits.wait(10)

    async def follow():
        async for event in jobs.events(job, 0):
            if event.kind == "timeline":
                await asyncio.to_thread(jobs.erase, job.id)

    asyncio.run(asyncio.wait_for(follow(), 10))
    captioner.goes_on.release(10)


def test_when_the_service_stops_jobs_are_handed_back(started, order, monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "PATIENCE_S", 0.2)
    captioner = Gate()
    jobs = started(captioner, job_threads=2)
    running, other, waits = order(jobs), order(jobs), order(jobs)
    assert captioner.waits.wait(10)

    async def follow():
        kinds = []
        async for event in jobs.events(running, 0):
            kinds.append(event.kind)
            if event.kind == "timeline":
                jobs.service.stopping.set()
        return kinds

    assert "end" not in asyncio.run(asyncio.wait_for(follow(), 10))
    begun = time.monotonic()
    jobs.service.__exit__()  # while both threads are in a step that does not end
    assert time.monotonic() - begun < 1.5
    captioner.goes_on.release(10)
    again = started()
    for job in (running, other, waits):
        status = last_status(followed(again, job))
        assert status["state"] == "done"
        assert again.store.find(job.id).attempts == 1
        assert len(result(again, job)["timeline"]) == 3


def test_a_job_whose_model_is_gone_has_failed(started, order):
    captioner = Gate()
    jobs = started(captioner)
    order(jobs)
    job = order(jobs, model=["other"])
    del jobs.service._captioners["other"]
    captioner.goes_on.release(10)
    assert last_status(followed(jobs, job))["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("step", ["claim", "write", "finish"])
def test_a_disk_that_fails_for_a_while_costs_no_job(started, order, monkeypatch, caplog, step):
    monkeypatch.setattr(runner, "AGAIN_S", 0.01)
    jobs = started()
    failures, does = iter(range(3)), getattr(jobs.store, step)

    def failing(*given):
        if next(failures, None) is not None:
            raise sqlite3.OperationalError("database or disk is full")
        return does(*given)

    monkeypatch.setattr(jobs.store, step, failing)
    job = order(jobs)
    assert last_status(followed(jobs, job))["state"] == "done"
    assert len(result(jobs, job)["timeline"]) == 3
    assert caplog.text.count("disk is full") == 3


def test_a_clients_name_of_any_kind(started, order):
    jobs = started()
    job = order(jobs, name=base_name("../비\udc80\x00\n'; DROP TABLE jobs.wav"))
    assert last_status(followed(jobs, job))["audio"] == job.audio
    assert job.audio.startswith("비")
