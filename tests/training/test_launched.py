"""Runs of several processes, as launchers start them: equal to one, killed, and continued."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.helpers.paths import ROOT
from tests.helpers.toy_recipe import write_toy_recipe

pytestmark = pytest.mark.slow

LIMIT_S = 120.0  # that all processes have ended, after one of them was killed
RUN = ["training.epochs=30", "training.workers=1", "validation.captions_every=15"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Nodes:
    """The processes of a run, whose lines go to files."""

    def __init__(self, folder: Path, commands: Sequence[Sequence[str]], **places: object) -> None:
        environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
        self.logs = [folder / f"node{number}.log" for number in range(len(commands))]
        self.running = []
        for number, command in enumerate(commands):
            place = {name: str(value).format(number) for name, value in places.items()}
            with self.logs[number].open("wb") as log:
                self.running.append(
                    subprocess.Popen(
                        [sys.executable, "-m", *command],
                        cwd=folder,
                        env=environment | place,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )

    def wait(self) -> list[int]:
        """Exit codes of all, which end in time."""
        end = time.monotonic() + LIMIT_S
        return [node.wait(max(0.1, end - time.monotonic())) for node in self.running]

    def said(self, number: int) -> list[str]:
        """The lines of auricle that are no notes of progress."""
        lines = self.logs[number].read_text().splitlines()
        return [line for line in lines if re.match("auricle: (?!note)", line)]

    def end(self) -> None:
        for node in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
            node.wait()


def bare(folder: Path, command: Sequence[str]) -> Nodes:
    """Two processes that find each other by the variables every launcher sets."""
    places = {"RANK": "{}", "LOCAL_RANK": "{}", "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1"}
    return Nodes(folder, [["auricle", *command]] * 2, MASTER_PORT=free_port(), **places)


def launchers(folder: Path, command: Sequence[str]) -> Nodes:
    """Two launchers of torch that meet at one address, as on two machines."""
    meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}"]
    launcher = ["torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", *meet]
    return Nodes(folder, [[*launcher, "-m", "auricle", *command]] * 2)


def wait_for_checkpoint(folder: Path, nodes: Nodes, step: int) -> None:
    """Until the run in ``folder`` has a checkpoint of ``step`` or later."""
    path, end = folder / "training" / "checkpoint.pt", time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        assert all(node.poll() is None for node in nodes.running), "it ended before it was killed"
        with contextlib.suppress(OSError):
            if torch.load(path, weights_only=True)["state"]["step"] >= step:
                return
        time.sleep(0.05)
    raise AssertionError("no checkpoint in time")


def child(parent: int) -> int:
    """The first child of a process."""
    tasks = Path(f"/proc/{parent}/task/{parent}/children")
    return int(tasks.read_text().split()[0])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The weights that two processes end with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    nodes = bare(folder, ["train", write_toy_recipe(folder).name, *RUN])
    try:
        assert nodes.wait() == [0, 0]
    finally:
        nodes.end()
    return load_file(folder / "out" / "model.safetensors")


def same(out: Path, expected: dict[str, torch.Tensor]) -> None:
    found = load_file(out / "model.safetensors")
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.equal(found[key], tensor), key


def test_killed_processes_end_the_run_and_it_goes_on(recipe: Path, undisturbed: dict) -> None:
    out = recipe.with_name("killed")
    command = ["train", recipe.name, "out=killed", *RUN, "--resume"]
    for victim, step in ((1, 4), (0, 12)):
        nodes = bare(recipe.parent, command)
        try:
            wait_for_checkpoint(out, nodes, step)
            nodes.running[victim].kill()
            codes = nodes.wait()
            assert codes[victim] == -signal.SIGKILL
            assert codes[1 - victim] == 2
            (line,) = nodes.said(1 - victim)
            assert f"process {1 - victim} of 2 ends, because another one has ended" in line
            assert "go on with --resume" in line
            assert "Traceback" not in nodes.logs[1 - victim].read_text()
        finally:
            nodes.end()
    nodes = bare(recipe.parent, command)
    try:
        assert nodes.wait() == [0, 0]
    finally:
        nodes.end()
    same(out, undisturbed)
    assert "killed" in nodes.logs[0].read_text().splitlines()[-1]
    assert not nodes.logs[1].read_text()  # the main process alone reports


def test_two_launchers_meet_and_a_killed_process_ends_both(recipe: Path, undisturbed: dict) -> None:
    out = recipe.with_name("killed")
    command = ["train", recipe.name, "out=killed", *RUN, "--resume"]
    nodes = launchers(recipe.parent, command)
    try:
        wait_for_checkpoint(out, nodes, 4)
        os.kill(child(nodes.running[1].pid), signal.SIGKILL)
        assert all(nodes.wait())
        assert len(nodes.said(0) + nodes.said(1)) == 1  # of the one that was not killed
    finally:
        nodes.end()
    nodes = launchers(recipe.parent, command)
    try:
        assert nodes.wait() == [0, 0]
    finally:
        nodes.end()
    same(out, undisturbed)


SRUN = """#!/bin/sh
shift
for node in 1 2; do "$@" & done
wait
"""


def test_the_script_for_slurm(recipe: Path, undisturbed: dict) -> None:
    """With stand-ins for SLURM's commands: two machines that are this one."""
    commands = recipe.with_name("bin")
    commands.mkdir()
    for name, text in {"srun": SRUN, "scontrol": "#!/bin/sh\necho localhost\n"}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    job = {
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_ID": str(os.getpid()),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    subprocess.run(
        [ROOT / "scripts/slurm/train.sh", recipe.name, *RUN],
        cwd=recipe.parent,
        env=os.environ | job,
        check=True,
        timeout=LIMIT_S,
    )
    same(recipe.with_name("out"), undisturbed)
