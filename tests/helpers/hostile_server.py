"""A server that sends any bytes in reply to a request, for as long as the client reads them."""

from __future__ import annotations

import contextlib
import itertools
import json
import socketserver
import threading
from collections.abc import Callable, Iterable
from typing import Any

Reply = Callable[[], Iterable[bytes]]


class HostileServer(socketserver.ThreadingTCPServer):
    """``with HostileServer(reply) as server: ... server.base_url``: each request gets ``reply()``.

    Attributes:
        requests: each as it came, the head and the body.
    """

    daemon_threads = allow_reuse_address = True

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply, self.requests = reply, list[bytes]()
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self) -> HostileServer:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(socketserver.StreamRequestHandler):
    server: HostileServer

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client has gone
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            lengths = [
                int(line.split(b":")[1])
                for line in head.lower().splitlines()
                if line.startswith(b"content-length")
            ]
            self.server.requests.append(head + self.rfile.read(sum(lengths)))
            for part in self.server.reply():
                self.wfile.write(part)


def head(status: str = "200 OK", **headers: object) -> bytes:
    """The head of a reply whose body ends with the connection."""
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def completion(content: Any, **more: object) -> bytes:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": content}
    return json.dumps({"choices": [{"index": 0, "message": message}], **more}).encode()


def endless(status: str = "200 OK", start: bytes = b'{"choices": "') -> Iterable[bytes]:
    """A reply whose body has no end."""
    yield head(status, Content_Type="application/json")
    yield start
    yield from itertools.repeat(b"x" * (1 << 20))
