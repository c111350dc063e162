"""An OpenAI-compatible chat server for tests: it answers, stalls, limits the rate, fails, garbles.

python tests/mixup_server.py [PORT] [SHARE OF FAULTS]
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("stall", "limit", "fail", "garbage", "drop")
Chat = list[dict[str, str]]


def mixed(messages: Chat) -> str:
    """A mix of the two captions on the last lines: "A dog barks" and "Rain" -> "A dog barks, while
    rain can be heard"."""
    first, second = (line.strip(" .") for line in messages[-1]["content"].splitlines()[-2:])
    return f"{first}, while {second[:1].lower()}{second[1:]} can be heard."


class MixupServer(ThreadingHTTPServer):
    """``with MixupServer(faults=0.1) as server: ... server.base_url``.

    Args:
        faults: share of the requests that meet one of ``kinds``, drawn by ``seed``.
        model: the only one there is; "" for any.
        key: what it takes; None for any, also none.
        stall_s: how long a stalled request is kept waiting.
        delay_s: how long an answer takes.

    Attributes:
        asked: how often each chat was answered, by its text.
        met: faults by kind.
        most_at_once: requests.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        faults: float = 0.0,
        kinds: tuple[str, ...] = FAULTS,
        model: str = "",
        key: str | None = None,
        stall_s: float = 5.0,
        delay_s: float = 0.0,
        seed: int = 0,
        port: int = 0,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.faults, self.kinds, self.model, self.key = faults, kinds, model, key
        self.stall_s, self.delay_s = stall_s, delay_s
        self.asked: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self.most_at_once = 0
        self.base_url = f"http://127.0.0.1:{self.server_port}/v1"
        self._at_once = 0
        self._rng, self._lock = random.Random(seed), threading.Lock()

    def __enter__(self) -> MixupServer:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error."""

    def fault(self) -> str:
        """The next request's, "" for most."""
        with self._lock:
            kind = self._rng.choice(self.kinds) if self._rng.random() < self.faults else ""
            if kind:
                self.met[kind] += 1
            return kind

    @contextlib.contextmanager
    def counted(self) -> Any:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MixupServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.counted():
            self._respond(body)

    def _respond(self, body: dict[str, Any]) -> None:
        server = self.server
        sent = self.headers.get("Authorization", "")
        if server.key is not None and sent != f"Bearer {server.key}":
            return self._error(401, f"Incorrect API key provided: {sent}", "invalid_api_key")
        if server.model and body["model"] != server.model:
            return self._error(404, f"The model {body['model']} does not exist", "model_not_found")
        match server.fault():
            case "stall":
                time.sleep(server.stall_s)
                return self._send(b"")
            case "limit":
                return self._error(429, "Rate limit reached", "rate_limit", {"Retry-After": "0.05"})
            case "quota":
                return self._error(429, f"Quota of {sent} is used up", "insufficient_quota")
            case "fail":
                return self._error(500, f"Error while serving {sent}", "server_error")
            case "refuse":
                return self._error(400, "Bad request", "invalid_request")
            case "garbage":
                bodies = (b"{torn", b"<html>busy</html>", b'{"choices": []}', b"[]", b"")
                return self._send(random.choice(bodies))
            case "drop":
                self.close_connection = True
                return None
        time.sleep(server.delay_s)
        text = mixed(body["messages"])
        server.asked[body["messages"][-1]["content"]] += 1
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 40, "completion_tokens": 20, "total_tokens": 60}
        self._send(
            json.dumps(
                {
                    "id": "chatcmpl-1",
                    "object": "chat.completion",
                    "created": 0,
                    "model": body["model"],
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                    "usage": usage,
                }
            ).encode()
        )

    def _error(
        self, status: int, message: str, code: str, headers: dict[str, str] | None = None
    ) -> None:
        error = {"message": message, "type": code, "param": None, "code": code}
        self._send(json.dumps({"error": error}).encode(), status, headers)

    def _send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        with contextlib.suppress(OSError):  # the client has gone
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    port, faults = (
        int(sys.argv[1]) if sys.argv[1:] else 8000,
        float(sys.argv[2] if sys.argv[2:] else 0),
    )
    with MixupServer(faults, port=port) as running:
        print(running.base_url, flush=True)
        threading.Event().wait()
