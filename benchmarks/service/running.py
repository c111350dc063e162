"""A running `auricle serve`, and clients that ask it again and again."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

TIMEOUT_S = 300.0


@dataclass
class Running:
    process: subprocess.Popen[str]
    url: str

    @property
    def memory_mb(self) -> float:
        """Of the service, without its decoders."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def metric(self, name: str) -> float:
        text = httpx.get(f"{self.url}/metrics").text
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


@contextlib.contextmanager
def running(*options: str) -> Iterator[Running]:
    """`auricle serve` with ``options`` on a free port, and a data folder of its own."""
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "auricle", "serve", "--port", "0", "--offline"]
        process = subprocess.Popen(
            [*command, "--data", data, *options], stderr=subprocess.PIPE, text=True
        )
        assert process.stderr
        line = process.stderr.readline()
        threading.Thread(target=process.stderr.read, daemon=True).start()  # the log
        try:
            yield Running(process, line.split()[-1])
        finally:
            process.terminate()
            process.wait(60)


@dataclass
class Asked:
    """What clients saw: seconds of each answer, statuses, and answers that were not as expected."""

    latencies_s: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    def quantile_s(self, percent: int) -> float:
        return statistics.quantiles(self.latencies_s, n=100)[percent - 1]

    def __str__(self) -> str:
        number = len(self.latencies_s)
        times = ", ".join(f"p{p} {self.quantile_s(p):.3f}" for p in (50, 95, 99))
        return (
            f"{number} answers, {number / self.wall_s:.1f}/s; {times} s; statuses {self.statuses};"
            f" {len(self.wrong)} wrong"
        )


def ask(
    url: str,
    clips: Sequence[Path],
    clients: int,
    seconds: float | None = None,
    requests: int | None = None,
    expected: dict[str, str] | None = None,
) -> Asked:
    """``clients`` that each send a clip, wait for the answer, and send the next, for ``seconds`` or
    until ``requests`` have been sent; ``expected``: caption by file name."""
    return asyncio.run(_ask(url, clips, clients, seconds, requests, expected or {}))


async def _ask(
    url: str,
    clips: Sequence[Path],
    clients: int,
    seconds: float | None,
    requests: int | None,
    expected: dict[str, str],
) -> Asked:
    asked, contents = Asked(), [(clip.name, clip.read_bytes()) for clip in clips]
    begun, sent = time.monotonic(), 0

    async def one(client: httpx.AsyncClient, place: int) -> None:
        nonlocal sent
        while True:
            late = seconds is not None and time.monotonic() - begun >= seconds
            if late or (requests is not None and sent >= requests):
                return
            sent += 1
            name, content = contents[place % len(contents)]
            place += 1
            since = time.monotonic()
            answer = await client.post(f"{url}/v1/captions", files={"file": (name, content)})
            asked.latencies_s.append(time.monotonic() - since)
            asked.statuses[answer.status_code] = asked.statuses.get(answer.status_code, 0) + 1
            if answer.status_code != 200:
                asked.wrong.append(answer.text)
            else:
                (record,) = answer.json()
                if record["audio"] != name or record["caption"] != expected.get(
                    name, record["caption"]
                ):
                    asked.wrong.append(f"{name}: {record['audio']}: {record['caption']}")

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits) as client:
        await asyncio.gather(*(one(client, 7 * number) for number in range(clients)))
    asked.wall_s = time.monotonic() - begun
    return asked
