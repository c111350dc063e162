"""The service is killed while it works and while jobs come in: none of them is lost."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.paths import EXAMPLES


class Program:
    """`auricle serve` in a process of its own, with the jobs in ``data``."""

    def __init__(self, data: Path) -> None:
        command = [sys.executable, "-m", "auricle", "serve", "--port", "0", "--offline"]
        self.process = subprocess.Popen(
            [*command, "--data", str(data)], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr
        self.url = self.process.stderr.readline().split()[-1]
        assert self.url.startswith("http"), self.url
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def end(self, by: signal.Signals) -> float:
        """Seconds that it takes to end."""
        begun = time.monotonic()
        self.process.send_signal(by)
        self.process.wait(20)
        return time.monotonic() - begun

    def order(self, sound: bytes) -> str:
        files = {"file": ("a.ogg", sound)}
        fields = {"task": ["caption", "timeline"]}
        answer = httpx.post(f"{self.url}/v1/jobs", files=files, data=fields, timeout=30)
        assert answer.status_code == 202
        return answer.json()["id"]

    def see(self, job_id: str) -> dict[str, Any]:
        return httpx.get(f"{self.url}/v1/jobs/{job_id}", timeout=30).json()

    def events(self, job_id: str, after: int = 0) -> list[tuple[int, str]]:
        """(number, kind) of the events that came until the stream's or the process's end."""
        found: list[tuple[int, str]] = []
        number = 0
        headers = {"Last-Event-ID": str(after)}
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.stream(
                "GET", f"{self.url}/v1/jobs/{job_id}/events", headers=headers, timeout=60
            ) as answer,
        ):
            for line in answer.iter_lines():
                key, _, value = line.partition(": ")
                if key == "id":
                    number = int(value)
                elif key == "event":
                    found.append((number, value))
        return found


@pytest.fixture
def long_sound(tmp_path) -> bytes:
    """Ten minutes."""
    import numpy as np
    import soundfile

    sound, rate_hz = soundfile.read(EXAMPLES / "rain-and-thunder.ogg", dtype="float32")
    sound = np.resize(sound[: 10 * rate_hz], 600 * rate_hz)
    soundfile.write(tmp_path / "long.flac", sound, rate_hz)
    return (tmp_path / "long.flac").read_bytes()


@pytest.mark.slow
def test_no_job_is_lost_by_kills(yamnet_weights, long_sound, tmp_path):
    chance = random.Random(0)
    short = (EXAMPLES / "birds-singing.ogg").read_bytes()
    ids: list[str] = []
    watched: list[tuple[int, str]] = []  # of the first job, by a client that comes again
    for _ in range(3):
        program = Program(tmp_path / "data")
        ids.append(program.order(long_sound))

        def keep_ordering(program: Program = program) -> None:
            with contextlib.suppress(httpx.HTTPError):
                while True:
                    ids.append(program.order(short))
                    time.sleep(0.2)

        def watch(program: Program = program) -> None:
            watched.extend(program.events(ids[0], watched[-1][0] if watched else 0))

        threads = [threading.Thread(target=one) for one in (keep_ordering, watch)]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.7, 1.5))
        program.end(signal.SIGKILL)
        for thread in threads:
            thread.join(20)
    assert len(ids) > 6

    program = Program(tmp_path / "data")
    states = {}
    for job_id in ids:
        *_, last = program.events(job_id)
        assert last[1] == "end"
        found = program.see(job_id)
        states[job_id] = found["state"]
        if found["state"] == "done":
            assert len(found["result"]["captions"]) == 1
            assert found["result"]["timeline"]
        else:
            assert found["error"]["code"] == "interrupted"
    assert states[ids[0]] == "failed"  # it was begun by each of the three
    assert list(states.values()).count("failed") <= 2
    assert not list((tmp_path / "data" / "uploads").iterdir())
    watched += program.events(ids[0], watched[-1][0])
    numbers = [number for number, _ in watched]
    assert numbers == sorted(set(numbers))
    assert [kind for _, kind in watched].count("end") == 1
    assert program.end(signal.SIGTERM) < 5


@pytest.mark.slow
def test_a_signal_hands_back_what_is_running(yamnet_weights, long_sound, tmp_path):
    program = Program(tmp_path / "data")
    job_id = program.order(long_sound)
    seen: list[tuple[int, str]] = []
    thread = threading.Thread(target=lambda: seen.extend(program.events(job_id)))
    thread.start()
    time.sleep(1.0)
    assert program.see(job_id)["state"] == "running"
    assert program.end(signal.SIGTERM) < 4
    thread.join(5)
    assert program.process.returncode == 0
    assert seen
    assert "end" not in {kind for _, kind in seen}

    program = Program(tmp_path / "data")
    *_, last = program.events(job_id, seen[-1][0])
    assert last[1] == "end"
    assert last[0] > seen[-1][0]
    found = program.see(job_id)
    assert found["state"] == "done"
    assert found["result"]["timeline"]
    assert program.end(signal.SIGTERM) < 5
