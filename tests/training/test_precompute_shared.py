"""Precomputation by several processes on one cache: all of it once, whatever is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from auricle.data.clip import Clip
from auricle.data.keys import ContentKeys
from auricle.training.precompute import Counts, precompute_features
from tests.helpers.paths import ROOT
from tests.helpers.toy_recipe import write_toy_recipe
from tests.training.test_precompute import CONFIG, Run, alone

SHARER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.training.test_precompute_shared import Sharer, clips_in
folder, pause_s = Path(sys.argv[2]), float(sys.argv[3])
Sharer(folder, pause_s)(clips_in(folder), batch_s=0.5)
"""


class Sharer(Run):
    """Precomputation that says, at each clip, that it computes it."""

    def __init__(self, folder: Path, pause_s: float) -> None:
        super().__init__(folder)
        heard = self.encoder.forward

        def slowly(waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple:
            import time

            for length in lengths.tolist():
                print(length, flush=True)
            time.sleep(pause_s)
            return heard(waveforms, lengths)

        self.encoder.forward = slowly  # type: ignore[method-assign]


def clips_in(folder: Path) -> list[Clip]:
    """40 recordings, each as long as no other."""
    paths = [folder / f"{number}.wav" for number in range(40)]
    if not paths[0].exists():
        import soundfile

        for number, path in enumerate(paths):
            rng = np.random.default_rng(number)
            soundfile.write(path, 0.1 * rng.standard_normal(8000 + 100 * number), 16_000)
    return [Clip(path, ("noise",), path.stem, "train") for path in paths]


def start(folder: Path, pause_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SHARER, str(ROOT), str(folder), str(pause_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def rows(folder: Path) -> list[tuple[int, int, int]]:
    (path,) = folder.glob("cache/features/*/index.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        query = "SELECT shard, start, frames FROM rows ORDER BY shard, start"
        return connection.execute(query).fetchall()


def whole_and_once(folder: Path) -> None:
    """Every clip is stored once, as its encoder says, and nothing lies between the arrays."""
    run, end = Run(folder), 0
    clips = clips_in(folder)
    for clip in clips[::7]:
        stored = run.store.get(run.keys.clip_key(clip))
        np.testing.assert_allclose(stored, alone(run, clip), rtol=1e-3, atol=1e-3)
    assert len(run.store) == len(clips)
    for shard, start_byte, frames in rows(folder):
        assert (shard, start_byte) == (0, end)
        end += frames * CONFIG.encoder.dim * 2
    assert Run(folder)(clips) == Counts(reused=len(clips))


@pytest.mark.slow
def test_two_at_once_compute_every_clip_once(tmp_path: Path) -> None:
    clips = clips_in(tmp_path)
    both = [start(tmp_path, 0.2) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert min(map(len, said)) > 4  # both had something to do
    assert len(said[0] + said[1]) == len(set(said[0] + said[1])) == len(clips)
    whole_and_once(tmp_path)


@pytest.mark.slow
def test_what_a_killed_one_had_claimed_the_other_computes(tmp_path: Path) -> None:
    clips = clips_in(tmp_path)
    victim, other = start(tmp_path, 30.0), None
    try:
        assert victim.stdout is not None
        claimed = victim.stdout.readline()
        other = start(tmp_path, 0.0)
        assert other.stdout is not None
        first = other.stdout.readline()
        assert claimed != first
        victim.send_signal(signal.SIGKILL)
        said = [first.strip(), *other.communicate(timeout=120)[0].split()]
        assert sorted(map(int, said)) == [8000 + 100 * number for number in range(len(clips))]
    finally:
        for process in filter(None, (victim, other)):
            process.kill()
            process.wait()
    whole_and_once(tmp_path)


def test_damaged_arrays_are_computed_again(tmp_path: Path) -> None:
    clips = clips_in(tmp_path)[:6]
    first = Run(tmp_path)
    assert first(clips) == Counts(done=6)
    (shard,) = first.store.folder.glob("*.bin")
    with shard.open("r+b") as file:
        file.write(b"\xff\xff")
    again = Run(tmp_path)
    assert again(clips) == Counts(done=1, reused=5, damaged=1)
    assert Run(tmp_path)(clips) == Counts(reused=6)
    shard.unlink()
    assert Run(tmp_path)(clips) == Counts(done=6, damaged=6)
    run = Run(tmp_path)
    for clip in clips:
        stored = run.store.get(run.keys.clip_key(clip))
        np.testing.assert_allclose(stored, alone(run, clip), rtol=1e-3, atol=1e-3)


def test_counts_of_all_processes() -> None:
    parts = [Counts(done=3, reused=6, failed=1, damaged=1), Counts(2, 7, 1)]
    assert Counts.of_all(parts) == Counts(done=5, reused=4, failed=1, damaged=1)


@pytest.mark.slow
def test_an_error_gives_its_claims_back(tmp_path: Path) -> None:
    clips = clips_in(tmp_path)[:4]
    run = Run(tmp_path)

    def broken(*_: torch.Tensor) -> tuple:
        raise KeyboardInterrupt

    run.encoder.forward = broken  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        precompute_features(
            clips, run.encoder, run.store, ContentKeys(tmp_path / "cache"), max_duration_s=9.0
        )
    process = start(tmp_path, 0.0)
    said, _ = process.communicate(timeout=60)
    assert len(said.split()) == 40


COMMAND = [sys.executable, "-m", "auricle"]


@pytest.mark.slow
def test_the_command_shares_among_processes(tmp_path: Path) -> None:
    recipe = write_toy_recipe(tmp_path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    precompute = [*COMMAND, "precompute", str(recipe)]
    shared = subprocess.run(
        [*precompute, "--processes", "2"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert shared.stdout.splitlines() == [
        "training captions    4 computed, 8 there already, 0 failed",
        "validation captions  0 computed, 4 there already, 0 failed",
        "training features    12 computed, 0 there already, 0 failed",
        "validation features  4 computed, 0 there already, 0 failed",
    ], shared.stderr
    assert shared.returncode == 0


@pytest.mark.slow
def test_a_run_finds_what_is_damaged_and_trains_beside_a_precomputation(tmp_path: Path) -> None:
    recipe = write_toy_recipe(tmp_path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    train = [*COMMAND, "train", str(recipe), "training.epochs=1"]
    first = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        for command in (train, [*COMMAND, "precompute", str(recipe)])
    ]
    assert [process.communicate(timeout=120) and process.returncode for process in first] == [0, 0]
    assert len(rows(tmp_path)) == 16
    (shard,) = tmp_path.glob("cache/features/*/*.bin")
    with shard.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff\xff")
    again = [*train, "out=again"]
    told = subprocess.run(
        again, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "training features: 1 arrays in the cache were damaged and are comp" in told.stderr
    assert len(rows(tmp_path)) == 16
