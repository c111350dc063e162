"""Ray under fire: a driver that is killed, and a node that is lost."""

import contextlib
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from auricle.batch.ray_engine import run_ray
from auricle.batch.run import run_batch
from tests.helpers.batches import audio_counts, committed, items_in, job_in, write_recordings

pytestmark = pytest.mark.slow

LONGEST_S = 240.0


@pytest.fixture(autouse=True)
def ray():
    return pytest.importorskip("ray", reason="needs the extra ray")


def until(condition) -> None:
    give_up = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < give_up, "it does not come to pass"
        time.sleep(0.2)


def test_killed_driver_has_committed_and_goes_on(tmp_path):
    folder, out = write_recordings(tmp_path / "in", 240), tmp_path / "out"
    command = [
        *(sys.executable, "-m", "auricle", "batch", "in", "--output", "out", "--engine", "ray"),
        *("--workers", "2", "--chunk-size", "16", "--candidates", "1", "--device", "cpu"),
    ]
    began = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    until(lambda: committed(out) >= 60 or began.poll() is not None)
    began.send_signal(signal.SIGKILL)
    printed, _ = began.communicate()
    assert began.returncode == -signal.SIGKILL, printed
    assert b"ray" not in printed.lower()
    at_kill = committed(out)
    assert 60 <= at_kill < 240

    ended = subprocess.run([*command, "--resume"], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert not ended.stdout
    assert "ray" not in ended.stderr.lower()
    assert ended.stderr.splitlines()[-1] == "auricle: note: 240 done; in out"
    found = Counter({Path(name).name: count for name, count in audio_counts(out).items()})
    assert found == dict.fromkeys((path.name for path in folder.iterdir()), 1)


def test_lost_node_loses_and_repeats_nothing(ray, tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    items = items_in(write_recordings(tmp_path / "in", 160))
    node = {"object_store_memory": 100 << 20, "memory": 3 << 30}
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **node}
    )
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.shutdown)
        lost = [cluster.add_node(num_cpus=2, **node) for _ in range(2)][-1]
        cluster.wait_for_nodes()
        engine = partial(run_ray, address=cluster.address, memory_bytes=1 << 30)
        removed = []

        def losing(job, chunks):
            for number, report in enumerate(engine(job, chunks)):
                yield report
                if number == 8:
                    cluster.remove_node(lost, allow_graceful=False)
                    removed.append(lost)

        summary = run_batch(job_in(tmp_path / "out"), items, losing, chunk=8)
    assert removed
    assert (summary.done, summary.failed) == (160, {})
    assert audio_counts(tmp_path / "out") == dict.fromkeys((one.audio for one in items), 1)
