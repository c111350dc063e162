"""`auricle batch` from its arguments to its shards."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from auricle.shards import read_folder
from tests.helpers.scripted_task import captions_of, scripted_worker, write_files


@pytest.fixture
def batch(monkeypatch):
    """``batch(*arguments)`` -> the result; a worker of the scripted task, in this process."""

    def here(job, chunks, **_):
        worker = scripted_worker(job)
        for chunk in chunks:
            yield worker.do(chunk)

    monkeypatch.setattr("auricle.batch.local.run_local", here)
    return lambda *arguments: CliRunner().invoke(app, ["batch", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path):
    return write_files(tmp_path / "in", [f"clip{n}" for n in range(5)])


def test_the_output_and_the_summary(batch, folder, tmp_path):
    done = batch(folder, "--output", tmp_path / "out", "--format", "jsonl", "--limit", 3)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "3 done; 2 left; in " in done.stderr
    (folder / "none.wav").symlink_to("nowhere")
    done = batch(folder, "--output", tmp_path / "out", "--format", "jsonl", "--resume")
    assert done.exit_code == 1
    assert "5 done; 1 failed: 1 audio" in done.stderr
    assert [one.name for one in sorted((tmp_path / "out").iterdir())] == [
        *(".job", "shard-00000.jsonl", "shard-00001.jsonl"),
    ]
    assert len(captions_of(tmp_path / "out")) == 6


def test_a_folder_that_has_begun_needs_resume(batch, folder, tmp_path):
    batch(folder, "--output", tmp_path / "out")
    again = batch(folder, "--output", tmp_path / "out")
    assert again.exit_code == 2
    assert "has 5 rows of this job; go on with --resume" in again.stderr
    other = batch(folder, "--output", tmp_path / "out", "--resume", "--seed", 2)
    assert (other.exit_code, "begun with decoding=" in other.stderr) == (2, True)
    lone = batch(folder, "--output", tmp_path / "out", "--retry-failed")
    assert (lone.exit_code, "give --resume, too" in lone.stderr) == (2, True)


def test_a_dry_run_measures_and_leaves_nothing(batch, folder, tmp_path):
    write_files(folder, [f"slow{n}" for n in range(95)])
    place = tmp_path / "new" / "out"
    dry = batch(folder, "--output", place, "--dry-run", "--price", 3600, "--workers", 2)
    assert dry.exit_code == 0, dry.stderr
    total, measured, time, shards, money = dry.stdout.splitlines()
    assert total == "100 recordings, 100 of them to do"
    assert "of 1 s; 0 failed" in measured
    assert time.endswith("worker-hours")
    assert shards.startswith("shards: ")
    # 95 of 20 ms at 1 a second
    assert 1.8 < float(re.match(r"money: (\S+) at 3600 per worker-hour", money)[1]) < 4
    assert [one.name for one in tmp_path.iterdir()] == ["in"]
    batch(folder, "--output", place, "--limit", 60)
    left = batch(folder, "--output", place, "--dry-run").stdout
    assert left.startswith("100 recordings, 40 of them to do")
    assert len(list(read_folder(place))) == 60
