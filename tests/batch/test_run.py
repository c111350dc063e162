"""Runs of batches, by workers that die, hang and run out of memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tarfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from auricle.batch.inputs import items_of
from auricle.batch.local import run_local
from auricle.batch.run import BatchWatch, run_batch
from auricle.errors import DataError, ModelError, OutputError
from auricle.shards import shards_in
from tests.helpers.scripted_task import captions_of, scripted, scripted_job, write_files


def run(folder, out, engine=None, **options):
    return run_batch(scripted_job(out), items_of(str(folder)), engine or scripted(), **options)


def test_every_recording_has_a_row(tmp_path):
    folder = write_files(tmp_path / "in", [f"clip{n}" for n in range(30)])
    told = []
    watch = BatchWatch(progress=lambda *report: told.append(report))
    summary = run(folder, tmp_path / "out", scripted(2), chunk=4, watch=watch)
    assert captions_of(tmp_path / "out") == {f"clip{n}": f"clip{n}" for n in range(30)}
    assert (summary.done, summary.left, summary.new, summary.audio_s) == (30, 0, 30, 30.0)
    assert told[-1] == ("recordings", 30, 30, "")
    assert [one.name for one in shards_in(tmp_path / "out")] == ["shard-00000.parquet"]


@pytest.mark.parametrize("way", ["dead", "fault"])
def test_a_recording_that_ends_its_worker_fails_alone(tmp_path, way):
    folder = write_files(tmp_path / "in", [*(f"clip{n}" for n in range(9)), way])
    summary = run(folder, tmp_path / "out")
    found = captions_of(tmp_path / "out")
    assert found.pop(way).startswith("crash: ")
    assert found == {f"clip{n}": f"clip{n}" for n in range(9)}
    assert summary.failed == Counter(crash=1)


@pytest.mark.slow
def test_a_recording_that_hangs_fails_alone(tmp_path):
    folder = write_files(tmp_path / "in", ["a", "hung", "z"])
    run(folder, tmp_path / "out", scripted(2, timeout_s=0.5))
    found = captions_of(tmp_path / "out")
    assert "0.5 s in which it did nothing" in found.pop("hung")
    assert found == {"a": "a", "z": "z"}


def test_a_worker_that_dies_by_chance_costs_nothing(tmp_path):
    names = ["a", "once-dead", "once-fault", "z"]
    run(write_files(tmp_path / "in", names), tmp_path / "out")
    assert captions_of(tmp_path / "out") == {name: name for name in names}


def test_out_of_memory_halves_the_batch(tmp_path):
    names = ["a", "large", "huge", "z"]
    run(write_files(tmp_path / "in", names), tmp_path / "out")
    found = captions_of(tmp_path / "out")
    assert found.pop("huge").startswith("memory: ")
    assert found == {"a": "a", "large": "large", "z": "z"}


def test_a_run_goes_on_where_it_was(tmp_path):
    folder, out = write_files(tmp_path / "in", [f"clip{n}" for n in range(10)]), tmp_path / "out"
    assert run(folder, out, limit=4).left == 6
    with pytest.raises(DataError, match=r"4 rows of this job; go on with --resume"):
        run(folder, out)
    write_files(folder, ["new"])
    summary = run(folder, out, resume=True)
    assert (summary.done, summary.new, summary.left) == (11, 7, 0)
    assert len(captions_of(out)) == 11
    assert run(folder, out, resume=True).new == 0


def test_another_job_is_refused(tmp_path):
    folder, out = write_files(tmp_path / "in", ["a"]), tmp_path / "out"
    run(folder, out)
    job = scripted_job(out, decoding={"seed": 1})
    with pytest.raises(DataError, match=r"begun with decoding=.*another folder by --output"):
        run_batch(job, items_of(str(folder)), scripted(), resume=True)


def test_failures_are_tried_again_only_when_asked(tmp_path):
    folder, out = write_files(tmp_path / "in", ["a", "b"]), tmp_path / "out"
    (folder / "b.wav").unlink()
    (folder / "b.wav").symlink_to("b.target")  # leads nowhere
    assert run(folder, out).failed == Counter(audio=1)
    (folder / "b.target").write_bytes(b"b")
    summary = run(folder, out, resume=True, retry_failed=True)
    assert summary.failed == Counter()
    assert captions_of(out) == {"a": "a", "b": "b"}


def test_one_run_at_a_time(tmp_path):
    folder, out = write_files(tmp_path / "in", ["a"]), tmp_path / "out"

    def engine(job, chunks):
        with pytest.raises(DataError, match="another auricle batch works with it"):
            run(folder, out)
        yield from scripted()(job, chunks)

    run(folder, out, engine)


def test_a_worker_that_cannot_write_ends_the_run(tmp_path):
    folder, out = write_files(tmp_path / "in", ["a"]), tmp_path / "out"

    def engine(job, chunks):
        (out / ".job" / "chunks").rmdir()
        (out / ".job" / "chunks").write_bytes(b"")
        yield from scripted()(job, chunks)

    with pytest.raises(OutputError, match="cannot be written"):
        run(folder, out, engine)


def die(job):
    os._exit(7)


def test_workers_that_cannot_begin_end_the_run(tmp_path):
    folder = write_files(tmp_path / "in", ["a"])
    with pytest.raises(ModelError, match=r"workers end while they load it .*exit code 7"):
        run(folder, tmp_path / "out", partial(run_local, start=die))


DRIVER = """
import sys
from auricle.batch.inputs import items_of
from auricle.batch.local import run_local
from auricle.batch.run import run_batch
from tests.helpers.scripted_task import scripted, scripted_job
if __name__ == "__main__":
    run_batch(scripted_job(sys.argv[2]), items_of(sys.argv[1]), scripted(2), resume=True, chunk=8)
"""


def running(group):
    """The processes of a group, without those that have ended and that no one waits for."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of = path.read_text().rpartition(")")[2].split()[:3]
            found += [path] * (int(of) == group and state != "Z")
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="tells processes by Linux's /proc")
def test_a_driver_that_is_killed_is_continued_and_its_workers_end(tmp_path):
    names = ["once-hung", *(f"slow{n}" for n in range(200))]
    folder, out = write_files(tmp_path / "in", names), tmp_path / "out"
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    command = [sys.executable, str(script), str(folder), str(out)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(2):
        driver = subprocess.Popen(command, env=environment, start_new_session=True)
        until = time.monotonic() + 20
        while len(list(out.glob(".job/chunks/*.parquet"))) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        driver.kill()
        driver.wait()
        until = time.monotonic() + 5
        while running(driver.pid) and time.monotonic() < until:
            time.sleep(0.02)
        assert running(driver.pid) == []
    subprocess.run(command, env=environment, check=True)
    assert captions_of(out) == {name: name for name in names}


def test_an_output_within_its_input_is_no_input(tmp_path):
    folder, others = write_files(tmp_path / "in", ["a"]), write_files(tmp_path / "others", ["b"])
    with tarfile.open(folder / "s.tar", "w") as tar:
        tar.add(others / "b.wav", "b.wav")
    for resume in (False, True):
        summary = run(folder, folder / "out", resume=resume)
    assert captions_of(folder / "out") == {"a": "a", "b": "b"}
    assert (summary.done, summary.failed, summary.new) == (2, Counter(), 0)
