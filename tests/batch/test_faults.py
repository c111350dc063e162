"""Faults that a batch of two thousand recordings survives: every recording stands exactly once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.files import read_json
from auricle.hub.folder import save_bundle
from auricle.shards import read_folder
from tests.helpers.models import captioner_of, make_bundle
from tests.helpers.scripted_task import captions_of, write_files

CLIPS, FULL = 2000, 1_500_000  # bytes of a disk that gets full

linux = pytest.mark.skipif(not Path("/proc").is_dir(), reason="tells processes by Linux's /proc")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_bundle(folder, make_bundle(0))
    return folder


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "auricle", "batch", *map(str, arguments), "--workers", "2"]


def workers_of(driver: int) -> list[int]:
    """The processes of the local engine."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            words = stat.with_name("cmdline").read_bytes()
            if parent == driver and b"spawn_main" in words:
                found.append(int(stat.parent.name))
    return found


def committed(out: Path) -> int:
    return len(list((out / ".job" / "chunks").glob("*"))) if out.exists() else 0


def wait_for(happens, seconds: float = 300.0) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.05)


@linux
@pytest.mark.slow
def test_three_killed_workers_and_a_killed_driver(tmp_path, model):
    rng = np.random.default_rng(0)
    for number in range(CLIPS):
        sound = rng.uniform(-0.3, 0.3, 4000 + number).astype(np.float32)
        soundfile.write(tmp_path / f"{number:04d}.wav", sound, 16_000, "PCM_16")
    out, model_options = tmp_path / "out", ["--model", model, "--output", tmp_path / "out"]
    chance, killed = random.Random(0), 0
    driver = subprocess.Popen(command(tmp_path, *model_options, "--chunk-size", 32))
    for share in (4, 9, 14, 20):  # chunks of 63
        wait_for(lambda share=share: committed(out) >= share or driver.poll() is not None)
        if share == 20:
            driver.kill()
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(workers_of(driver.pid)), signal.SIGKILL)
            killed += 1
    assert driver.wait() == -signal.SIGKILL
    assert killed == 3
    before = committed(out)
    assert 20 <= before < CLIPS // 32
    subprocess.run(
        command(tmp_path, *model_options, "--chunk-size", 32, "--resume"), check=True, timeout=600
    )
    rows = list(read_folder(out, ["id", "audio", "kind", "caption"]))
    assert len({row["id"] for row in rows}) == len(rows) == CLIPS
    assert {Path(row["audio"]).name for row in rows} == {f"{n:04d}.wav" for n in range(CLIPS)}
    assert all(row["kind"] is None for row in rows)
    some = sorted(rows, key=lambda row: row["audio"])[::40]
    captioner = captioner_of(make_bundle(0))
    expected = [one.caption for one in captioner.caption([row["audio"] for row in some])]
    assert [row["caption"] for row in some] == expected


DRIVER = """
import sys
{begin}
from auricle.batch.inputs import items_of
from auricle.batch.run import run_batch
from auricle.errors import AuricleError
from tests.helpers.scripted_task import scripted, scripted_job
if __name__ == "__main__":
    try:
        job = scripted_job(sys.argv[2], format="jsonl")
        run_batch(job, items_of(sys.argv[1]), scripted(2), resume=True, chunk=16)
    except AuricleError as error:
        sys.exit(str(error))
"""


def drive(tmp_path, folder: Path, out: Path, begin: str = "") -> subprocess.CompletedProcess[str]:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(begin=begin))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, str(script), str(folder), str(out)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def disk(tmp_path):
    """A small disk, and what makes it larger."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(size: int, *more: str) -> int:
        options = ",".join([f"size={size}", *more])
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", str(place)],
            capture_output=True,
            check=False,
        ).returncode

    try:
        if mount(FULL):
            pytest.skip("only root may mount a disk")
    except FileNotFoundError:
        pytest.skip("needs mount")
    yield place, lambda size: mount(size, "remount")
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_keeps_what_is_committed_and_is_continued(tmp_path, disk):
    names = [f"{number:04d}{'x' * 200}" for number in range(CLIPS)]
    folder, (place, enlarge) = write_files(tmp_path / "in", names), disk
    full = drive(tmp_path, folder, place / "out")
    assert full.returncode == 1
    assert "No space left on device" in full.stderr
    assert "--resume" in full.stderr
    assert full.stderr.count("\n") == 1
    assert list(place.rglob("*.part")) == []
    assert 0 < committed(place / "out") < CLIPS // 16
    assert enlarge(20 * FULL) == 0
    assert drive(tmp_path, folder, place / "out").returncode == 0
    assert captions_of(place / "out") == {name: name for name in names}


JUMPS = """
import random, time
true, rng = time.time, random.Random()
time.time = lambda: true() + rng.choice([-86400.0, 0.0, 86400.0])
time.time_ns = lambda: int(time.time() * 1e9)
"""


@pytest.mark.slow
def test_a_clock_that_jumps_by_days_changes_nothing(tmp_path):
    names = ["once-dead", "once-hung", *(f"{number:04d}" for number in range(CLIPS))]
    folder, out = write_files(tmp_path / "in", names), tmp_path / "out"
    done = drive(tmp_path, folder, out, JUMPS)  # the workers import this module, too
    assert done.returncode == 0, done.stderr
    assert captions_of(out) == {name: name for name in names}
    assert read_json(out / ".job" / "job.json")
