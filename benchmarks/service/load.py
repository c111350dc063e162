"""Load: throughput, latency and memory of the service, against the library in the same run.

    python -m benchmarks.service.load [AUDIO ...] [--seconds S] [--memory N] [--long HOURS]

Clients ask in a closed loop on loopback, so they share the processors with the service. Every
answer is compared with the caption that the library gives.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

import auricle
from benchmarks.service.running import Asked, Running, ask, running

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", nargs="*", type=Path, default=None)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load; 64 clients: x 3")
    parser.add_argument("--memory", type=int, default=0, help="requests of the memory run")
    parser.add_argument("--long", type=float, default=0.0, help="hours of a recording beside")
    chosen = parser.parse_args()
    clips = chosen.audio or sorted(p for p in (ROOT / "examples").iterdir() if is_sound(p))
    expected, offline = captions_of(clips)
    print(f"{len(clips)} clips; the library, batches of 8: {offline:.1f} recordings/s")
    alone = {}
    for batch_size in (16, 1):
        with running("--batch-size", str(batch_size)) as service:
            ask(service.url, clips, 4, requests=len(clips))
            for clients in (1, 16, 64) if batch_size > 1 else (1, 16):
                seconds = chosen.seconds * (3 if clients == 64 else 1)
                asked = ask(service.url, clips, clients, seconds, expected=expected)
                alone[batch_size, clients] = len(asked.latencies_s) / asked.wall_s
                print(f"batches of {batch_size}, {clients} clients: {asked}", flush=True)
    print(
        f"16 clients, batching over none: {alone[16, 16] / alone[1, 16]:.2f};"
        f" 64 clients over the library: {alone[16, 64] / offline:.2f}"
    )
    if chosen.memory:
        with running() as service:
            memory(service, clips, chosen.memory, expected)
    if chosen.long:
        with running() as service:
            beside_long(service, clips, chosen.long, chosen.seconds, expected)


def is_sound(path: Path) -> bool:
    return path.suffix in (".ogg", ".wav", ".flac", ".mp3")


def captions_of(clips: list[Path]) -> tuple[dict[str, str], float]:
    """The library's caption by file name, and its recordings per second."""
    captioner = auricle.load("tiny")
    captioner.caption(clips)
    begun, many = time.monotonic(), clips * max(1, 90 // len(clips))
    found = captioner.caption(many)
    rate = len(many) / (time.monotonic() - begun)
    return {Path(one.audio).name: one.caption for one in found}, rate


def memory(service: Running, clips: list[Path], requests: int, expected: dict[str, str]) -> None:
    """The memory after each tenth of so many requests."""
    found = []
    for _ in range(10):
        asked = ask(service.url, clips, 16, requests=requests // 10, expected=expected)
        found.append(service.memory_mb)
        print(f"{service.memory_mb:.0f} MB after {asked}", flush=True)
    print(f"memory: last over second tenth {found[-1] / found[1]:.3f}")


def beside_long(
    service: Running, clips: list[Path], hours: float, seconds: float, expected: dict[str, str]
) -> None:
    """Short requests alone, and beside the timeline of a long recording."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.flac"
        sounds = [soundfile.read(clip, always_2d=True, dtype="float32") for clip in clips]
        day = [
            np.interp(np.arange(0, len(sound), rate / 16_000), np.arange(len(sound)), sound[:, 0])
            for sound, rate in sounds
        ]
        round_of = np.concatenate([np.pad(one, (0, 16_000 * 5)) for one in day])
        times = int(hours * 3600 * 16_000 / len(round_of)) + 1
        with soundfile.SoundFile(path, "w", 16_000, 1) as file:
            for _ in range(times):
                file.write(round_of)
        alone = ask(service.url, clips, 2, seconds, expected=expected)
        print(f"2 clients alone: {alone}", flush=True)
        took: list[float] = []

        def send() -> None:
            import httpx

            begun = time.monotonic()
            with path.open("rb") as file:
                answer = httpx.post(
                    f"{service.url}/v1/timeline",
                    files={"file": ("long.flac", file)},
                    timeout=3600,
                )
            took.append(time.monotonic() - begun)
            print(f"{hours:g} h: {answer.status_code}, {len(answer.json())} captions")

        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(1.0)
        asked: list[Asked] = []
        while thread.is_alive() and len(asked) < 6:
            asked.append(ask(service.url, clips, 2, seconds, expected=expected))
            state = "beside" if thread.is_alive() else "partly beside"
            ratio = asked[-1].quantile_s(95) / alone.quantile_s(95)
            print(f"{state} the long one: {asked[-1]}; p95 over alone {ratio:.2f}", flush=True)
        thread.join()
        print(f"the long one took {took[0]:.0f} s")


if __name__ == "__main__":
    main()
