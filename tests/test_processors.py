import os
import subprocess
import sys

import pytest

from auricle import processors


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 8 processors, whose control groups a test writes; nothing is set by the user."""
    monkeypatch.setattr(processors, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(processors, "OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    own = {*processors.WAITING, processors.THREADS}
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if k not in own})

    def write(own: str, **files: str) -> None:
        (tmp_path / "own").write_text(own)
        for name, content in files.items():
            path = tmp_path / "cgroup" / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return write


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu_dot_max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu_dot_max": "max 100000\n"}, 8),
        ("0::/pod/me\n", {"pod__cpu_dot_max": "300000 100000\n"}, 3),
        ("0::/\n", {"cpu_dot_max": "20000 100000\n"}, 1),
        ("0::/\n", {"cpu_dot_max": "junk\n"}, 8),
        (
            "4:cpu,cpuacct:/docker/x\n3:memory:/\n",  # not its path inside
            {
                "cpu,cpuacct__cpu_dot_cfs_quota_us": "400000\n",
                "cpu,cpuacct__cpu_dot_cfs_period_us": "100000\n",
            },
            4,
        ),
        (
            "1:cpu:/\n",
            {"cpu__cpu_dot_cfs_quota_us": "-1\n", "cpu__cpu_dot_cfs_period_us": "100000\n"},
            8,
        ),
    ],
)
def test_the_limit_of_a_container_counts(machine, own, files, expected):
    machine(own, **files)
    assert processors.usable() == expected


def test_without_control_groups_the_affinity_counts(machine):
    assert processors.usable() == 8


def test_torch_gets_the_containers_limit_and_threads_that_sleep(machine):
    machine("0::/\n", cpu_dot_max="200000 100000\n")
    processors.share()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert int(os.environ["GOMP_SPINCOUNT"]) < 10_000  # its own default is 300,000


def test_what_the_user_set_stays(machine):
    machine("0::/\n", cpu_dot_max="200000 100000\n")
    os.environ |= {"OMP_NUM_THREADS": "5", "GOMP_SPINCOUNT": "1000"}
    processors.share()
    assert processors.usable() == 5
    assert "OMP_WAIT_POLICY" not in os.environ
    processors.share(threads=3)
    assert processors.usable() == 3


def test_a_command_takes_its_threads_before_torch_counts_processors():
    script = (
        "from auricle.cli.options import use_threads;"
        "use_threads(1); import torch; print(torch.get_num_threads())"
    )
    environment = {k: v for k, v in os.environ.items() if k != processors.THREADS}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["1"]
