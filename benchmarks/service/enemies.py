"""Enemies of the service: broken recordings, connections that are slow or cut.

    python -m benchmarks.service.enemies [--files 2000] [--seed 0] [--connections 200]

None may bring an answer of status 5xx, end the service, or leave memory, descriptors or files
behind. Decoders that die lose one request each, and are counted.
"""

from __future__ import annotations

import argparse
import random
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.service.running import Running, running
from tests.fuzz.audio import content as broken_recording

ROOT = Path(__file__).parents[2]
WORKERS = 8
QUARTER = 500  # uploads between two looks at the memory
WARM = 300  # requests before the memory is looked at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--connections", type=int, default=200)
    chosen = parser.parse_args()
    with running() as service:
        warm = uploads(service, range(WARM), chosen.seed + 1)
        print(f"warm: {warm}; {state(service)}", flush=True)
        for first in range(0, chosen.files, QUARTER):
            some = range(first, min(first + QUARTER, chosen.files))
            print(f"broken uploads: {uploads(service, some, chosen.seed)}; {state(service)}")
        print(f"decoder deaths {service.metric('auricle_decoder_deaths_total'):.0f}", flush=True)
        print(f"slow connections: {slow(service, chosen.connections)}; {state(service)}")
        print(f"cut connections: {cut(service, chosen.connections)}; {state(service)}")
        answer = httpx.post(f"{service.url}/v1/captions", files=_sound())
        print(f"and then: {answer.status_code} {answer.json()[0]['caption']!r}; {state(service)}")


def state(service: Running) -> str:
    folder = Path(f"/proc/{service.process.pid}/fd")
    return f"{service.memory_mb:.0f} MB, {len(list(folder.iterdir()))} descriptors"


def uploads(service: Running, files: range, seed: int) -> Counter[str]:
    """Mutated recordings, a tenth of them for a timeline: statuses, and messages that are none."""
    found: Counter[str] = Counter()

    def send(number: int) -> None:
        name, content = broken_recording(random.Random(f"{seed} {number}"))
        route = "timeline" if number % 10 == 0 else "captions"
        try:
            answer = httpx.post(
                f"{service.url}/v1/{route}",
                files={"file": (f"{number}.{name}", content)},
                timeout=300,
            )
        except httpx.HTTPError as error:
            found[f"{type(error).__name__} of recording {number}"] += 1
            return
        found[str(answer.status_code)] += 1
        if answer.status_code >= 500:
            found[f"{answer.status_code} of recording {number}: {answer.text}"] += 1

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(send, files))
    return found


def slow(service: Running, connections: int) -> str:
    """Connections that send a byte a second, in the header or in the body; how long a healthy
    request takes meanwhile, and whether they are closed in the end."""
    head = b"POST /v1/captions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    body = b"Content-Length: 9999\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    body += b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    opened = [_connect(service) for _ in range(connections)]
    for number, one in enumerate(opened):
        one.sendall(head + (body if number % 2 else b""))
        one.setblocking(False)
    begun, took = time.monotonic(), []
    while time.monotonic() - begun < 90 and opened:
        since = time.monotonic()
        httpx.get(f"{service.url}/healthz", timeout=30).raise_for_status()
        took.append(time.monotonic() - since)
        time.sleep(1)
        opened = [one for one in opened if _open(one)]
    left = len(opened)
    for one in opened:
        one.close()
    seconds = time.monotonic() - begun
    return f"{left} of {connections} open after {seconds:.0f} s; slowest health {max(took):.3f} s"


def cut(service: Running, connections: int) -> str:
    """Connections that are cut somewhere in their request."""
    rng = random.Random(0)
    name, content = _sound()["file"]
    request = httpx.Request("POST", f"{service.url}/v1/captions", files={"file": (name, content)})
    lines = [f"{key}: {value}" for key, value in request.headers.items()]
    whole = ("\r\n".join(["POST /v1/captions HTTP/1.1", *lines]) + "\r\n\r\n").encode()
    whole += request.read()

    def send(place: int) -> None:
        with _connect(service) as connection:
            connection.sendall(whole[:place])

    threads = [
        threading.Thread(target=send, args=(rng.randrange(1, len(whole) + 1),))
        for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(2)
    return f"{connections} cut, {service.metric('auricle_recordings_in_work'):.0f} still in work"


def _connect(service: Running) -> socket.socket:
    address = urlsplit(service.url)
    return socket.create_connection((address.hostname, address.port), 30)


def _open(connection: socket.socket) -> bool:
    """Send one more byte; whether the other side still listens."""
    try:
        connection.send(b"a")
        return connection.recv(4096) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _sound() -> dict[str, tuple[str, bytes]]:
    path = ROOT / "examples/birds-singing.ogg"
    return {"file": (path.name, path.read_bytes())}


if __name__ == "__main__":
    main()
