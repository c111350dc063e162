"""Recordings from a server on this machine: whole, or refused in one line with the address."""

from __future__ import annotations

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from auricle.errors import AudioError
from auricle.fetch.recording import fetch_recording

CONTENT = bytes(range(256)) * 40


class Handler(BaseHTTPRequestHandler):
    """A folder of addresses, each with its own trouble."""

    def do_GET(self) -> None:
        match self.path.strip("/"):
            case "sound" | "%EC%86%8C%EB%A6%AC%20one":  # 소리 one
                self.answer(CONTENT)
            case "unknown-length":
                self.answer(CONTENT, length=None)
            case "cut":
                self.answer(CONTENT, length=len(CONTENT) + 1)
            case "endless":
                self.answer(b"", length=None)
                while True:
                    self.wfile.write(CONTENT)
            case "slow":
                self.answer(b"", length=100)
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            case "silent":
                time.sleep(1)
            case "moved":
                self.move("/sound")
            case "to-a-file":
                self.move("file:///etc/hostname")
            case "to-ftp":
                self.move("ftp://127.0.0.1/sound")
            case "round":
                self.move("/round")
            case _:
                self.send_error(404)

    def answer(self, content: bytes, length: int | None = len(CONTENT)) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def move(self, place: str) -> None:
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:  # the client went away
        pass


@pytest.fixture(scope="module")
def url():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["sound", "소리 one", "unknown-length", "moved"])
def test_a_recording_comes_whole(url, name):
    assert fetch_recording(f"{url}/{name}") == CONTENT


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone", "404"),
        ("cut", "IncompleteRead"),
        ("sound", "larger than 0.00195312 MiB"),
        ("endless", "larger than 0.00195312 MiB"),
        ("slow", "not downloaded in 0.2 s"),
        ("silent", "timed out"),
        ("to-a-file", "not allowed"),
        ("to-ftp", "only http and https are opened"),
        ("round", "redirect"),
    ],
)
def test_what_does_not_come_is_said_with_the_reason(url, name, reason):
    most = 2048 if reason.startswith("larger") else 1 << 20
    with pytest.raises(AudioError, match=re.escape(reason)) as caught:
        fetch_recording(f"{url}/{name}", max_bytes=most, timeout_s=0.3, deadline_s=0.2)
    assert str(caught.value).startswith(f"{url}/{name}: ")
    assert "\n" not in str(caught.value)


def test_none_comes_offline(url, monkeypatch):
    monkeypatch.setenv("AURICLE_OFFLINE", "1")
    with pytest.raises(AudioError, match="not downloaded, as this is offline"):
        fetch_recording(f"{url}/sound")


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/a.wav", "http:///a.wav", "http://[::1/a.wav", "http://x:y/"]
)
def test_addresses_where_nothing_answers(address):
    with pytest.raises(AudioError, match="not downloaded"):
        fetch_recording(address, timeout_s=0.3)
