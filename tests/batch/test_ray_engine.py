"""The Ray engine: its stages called without Ray, and the whole on a Ray of this machine."""

import contextlib
import os
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from auricle.batch import ray_engine
from auricle.batch.attempts import Attempts
from auricle.batch.job import ChunkDone, ChunkLost, chunk_of
from auricle.batch.local import run_local
from auricle.batch.run import run_batch
from auricle.batch.worker import Worker
from auricle.errors import ClusterError, MissingDependencyError, ModelError
from auricle.shards import read_rows
from tests.helpers.batches import audio_counts, items_in, job_in, rows_in, write_recordings

pytest.importorskip("pyarrow", reason="needs the extra batch")


@pytest.fixture
def stages(tmp_path):
    """A job, and its two stages as Ray calls them."""
    job = job_in(tmp_path / "out")
    ray_engine._notes(job).mkdir()
    return job, partial(ray_engine._decode, job=job, timeout_s=60.0)


def rows_of(job, chunk):
    found = [row for path in Path(job.folder, ".job/chunks").iterdir() for row in read_rows(path)]
    return {row["audio"]: row for row in found if row["id"] in {one.id for one in chunk.items}}


def reports_of(actor, table):
    return ray_engine._values(actor(table), "report")


def test_decoded_chunk_has_the_rows_of_a_worker_alone(stages, recordings, tmp_path):
    job, decode = stages
    chunk = chunk_of(items_in(recordings))
    table = decode(ray_engine._rows(chunk=[chunk]))
    ((sounds, suspect),) = ray_engine._values(table, "sounds")
    by_id = {one.id: one.audio for one in chunk.items}
    assert {by_id[one] for one in sounds} == {"0000.wav", "0001.wav", "stereo.flac"}
    assert not suspect

    (report,) = reports_of(ray_engine._Actor(job, 60.0), table)
    alone = job_in(tmp_path / "alone")
    assert isinstance(report, ChunkDone)
    assert replace(Worker(alone).do(chunk), took_s=0) == replace(report, took_s=0)
    assert rows_of(job, chunk) == rows_of(alone, chunk)
    assert report.done == 4
    assert report.failed == {"audio": 1}
    assert not [*ray_engine._notes(job).iterdir()]


def test_recording_that_ends_its_decoder_is_heard_alone(stages, tmp_path):
    job, decode = stages
    chunk = chunk_of(items_in(write_recordings(tmp_path / "in", 4)))
    for _ in range(ray_engine.ATTEMPTS):
        attempt = Attempts(ray_engine._notes(job) / f"decode-{chunk.name}")
        attempt.begin()
        attempt.opens(chunk.items[2].id)
    table = decode(ray_engine._rows(chunk=[chunk]))
    assert ray_engine._values(table, "sounds") == [({}, chunk.items[2].id)]
    alone, others = reports_of(ray_engine._Actor(job, 60.0), table)
    assert alone.name == chunk_of([chunk.items[2]]).name
    assert others.done == 3


def test_chunk_that_ends_actors_is_halved_until_one_is_to_blame(stages, tmp_path):
    job, decode = stages
    chunk = chunk_of(items_in(write_recordings(tmp_path / "in", 4)))
    blamed = chunk_of(chunk.items[3:])
    for dead in (chunk, chunk_of(chunk.items[2:]), blamed):
        for _ in range(ray_engine.ATTEMPTS):
            Attempts(ray_engine._notes(job) / f"hear-{dead.name}").begin()
    Attempts(ray_engine._notes(job) / f"hear-{blamed.name}").failed("RuntimeError: no kernel")
    first, third, lost = reports_of(
        ray_engine._Actor(job, 60.0), decode(ray_engine._rows(chunk=[chunk]))
    )
    assert (first.done, third.done) == (2, 1)
    assert lost == ChunkLost(replace(blamed, losses=2), "RuntimeError: no kernel", ("",))


def test_what_was_committed_before_a_death_counts_once(stages, tmp_path):
    job, decode = stages
    chunk = chunk_of(items_in(write_recordings(tmp_path / "in", 4)))
    Worker(job).do(replace(chunk, items=chunk.items[:2]))
    for _ in range(ray_engine.ATTEMPTS):
        Attempts(ray_engine._notes(job) / f"hear-{chunk.name}").begin()
    reports = reports_of(ray_engine._Actor(job, 60.0), decode(ray_engine._rows(chunk=[chunk])))
    assert [one.done for one in reports] == [2, 1, 1]
    assert len(rows_of(job, chunk)) == 4


def test_model_that_cannot_be_loaded_is_reported_as_such(stages, tmp_path):
    job, decode = stages
    chunk = chunk_of(items_in(write_recordings(tmp_path / "in", 1)))
    actor = ray_engine._Actor(replace(job, model=str(tmp_path / "none")), 60.0)
    (error,) = reports_of(actor, decode(ray_engine._rows(chunk=[chunk])))
    assert isinstance(error, ModelError)


def test_missing_ray_says_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"ray is not installed.*\[ray\]"):
        next(ray_engine.run_ray(job_in(tmp_path), []))


@pytest.fixture(scope="module")
def ray():
    """A Ray of this machine, which the engine finds there; its workers import the tests, too."""
    pytest.importorskip("ray.data", reason="needs the extra ray")
    from auricle.batch.ray_cluster import connected

    with connected(None, 2) as module:
        yield module


def clusters_engine(**settings):
    return partial(ray_engine.run_ray, workers=2, **settings)


@pytest.mark.slow
def test_rows_are_those_of_the_local_engine(ray, recordings, tmp_path):
    items = items_in(recordings)
    run_batch(job_in(tmp_path / "local"), items, partial(run_local, workers=1), chunk=2)
    summary = run_batch(job_in(tmp_path / "ray"), items, clusters_engine(), chunk=2)
    assert (summary.done, summary.failed) == (4, {"audio": 1})
    by_name = [{row["audio"]: row for row in rows_in(tmp_path / one)} for one in ("ray", "local")]
    assert by_name[0] == by_name[1]
    assert audio_counts(tmp_path / "ray") == dict.fromkeys((one.audio for one in items), 1)


@pytest.mark.slow
def test_killed_actors_lose_and_repeat_nothing(ray, tmp_path):
    psutil = pytest.importorskip("psutil", reason="finds the actors")
    items = items_in(write_recordings(tmp_path / "in", 160))
    killed = []

    def engine(job, chunks):
        for report in clusters_engine()(job, chunks):
            yield report
            if len(killed) < 3:
                killed.append(kill_an_actor(psutil, killed))

    summary = run_batch(job_in(tmp_path / "out"), items, engine, chunk=8)
    assert len(set(killed)) == 3
    assert (summary.done, summary.failed) == (160, {})
    assert audio_counts(tmp_path / "out") == dict.fromkeys((one.audio for one in items), 1)


def kill_an_actor(psutil, killed) -> int:
    """One of this process, as others on the machine may use Ray, too, that is not yet ``killed``;
    as soon as there is one."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                is_actor = "MapWorker(MapBatches(_Actor))" in " ".join(process.cmdline())
                if is_actor and process.pid not in killed:  # a dead one is seen for a moment
                    process.kill()
                    return process.pid
        time.sleep(0.1)
    raise AssertionError("no actor is at work")


@pytest.mark.slow
def test_recording_that_hangs_its_reader_fails_alone(ray, tmp_path):
    items = items_in(write_recordings(tmp_path / "in", 11))
    os.mkfifo(pipe := tmp_path / "in" / "pipe.wav")  # opening it waits for its writer
    items = items_in(tmp_path / "in")
    summary = run_batch(job_in(tmp_path / "out"), items, clusters_engine(timeout_s=6.0), chunk=8)
    assert (summary.done, summary.failed) == (11, {"crash": 1})
    failed = [row for row in rows_in(tmp_path / "out") if row["kind"]]
    assert [(row["audio"], row["kind"]) for row in failed] == [(pipe.name, "crash")]


@pytest.mark.slow
def test_memory_that_no_node_has_is_refused(ray, tmp_path):
    items = items_in(write_recordings(tmp_path / "in", 1))
    with pytest.raises(ClusterError, match=r"a worker needs a processor and 1048576\.0 GB"):
        run_batch(job_in(tmp_path / "out"), items, clusters_engine(memory_bytes=1 << 50))


@pytest.mark.slow
def test_error_of_every_worker_comes_through(ray, tmp_path):
    items = items_in(write_recordings(tmp_path / "in", 4))
    job = replace(job_in(tmp_path / "out"), model=str(tmp_path / "none"))
    with pytest.raises(ModelError, match="none"):
        run_batch(job, items, clusters_engine(), chunk=2)
