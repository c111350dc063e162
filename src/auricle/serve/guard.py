"""Guard: what every request passes first, and what every answer carries.

It asks for the API key, refuses pages of other sites, bounds the size and the patience for a body,
measures, logs without contents, and adds the headers of security.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auricle.serve.config import LOOPBACK, ServiceConfig
from auricle.serve.problems import RequestError
from auricle.serve.service import Service

LOG = logging.getLogger("auricle.serve")
OPEN = ("/", "/healthz", "/readyz", "/favicon.ico")  # without a key, and /static/…
LINGER_S = 3.0  # after a refusal, for the rest of the body
SLOWEST = 1000  # bytes a second of a body, after the patience for its start
SPARE_BYTES = 2**20  # of a request beside its recordings: the other fields


class Guard:
    """An ASGI application around ``app``."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service, self._config = app, service, service.config
        self._headers = headers(service.config)
        self._keys = [key.encode() for key in service.config.api_keys]
        self._bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), 499  # the client hung up

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name.lower() for name, _ in message["headers"]}
                extra = [pair for pair in self._headers if pair[0] not in given]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            self._check(scope)
        except RequestError as error:
            await _refuse(error, receive, answer)
        else:
            await self._with_body(scope, receive, answer)
        self._tell(scope, status, time.monotonic() - begun)

    def _check(self, scope: Scope) -> None:
        """Raises RequestError: the request may not be answered."""
        sent = dict(scope["headers"])
        host = sent.get(b"host", b"").decode("latin-1").lower()
        if self._config.is_local and _name(host) not in {*LOOPBACK, *self._config.hosts}:
            raise RequestError(
                403, "wrong_host", "this service answers on this machine alone; see --allow-host"
            )
        origin = _host(sent.get(b"origin", b"").decode("latin-1").lower())
        ours = origin in ("", host) or _name(origin) in self._config.hosts
        if not ours and scope["method"] not in ("GET", "HEAD"):
            raise RequestError(
                403,
                "foreign_page",
                "a page of another site may not use this service; of a proxy, see --allow-host",
            )
        if self._keys and not _is_open(scope["path"]):
            self._check_key(sent.get(b"authorization", b""))
        length = sent.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._most_bytes:
            raise self._too_large()

    def _check_key(self, authorization: bytes) -> None:
        kind, _, given = authorization.partition(b" ")
        given = given.strip() if kind.lower() == b"bearer" else b""
        right = [hmac.compare_digest(given, key) for key in self._keys]  # all: in constant time
        if not any(right):
            raise RequestError(
                401, "invalid_api_key", "the API key is missing or wrong: Authorization: Bearer KEY"
            )

    @property
    def _most_bytes(self) -> int:
        return int(self._config.max_upload_mb * 2**20) + SPARE_BYTES

    def _too_large(self) -> RequestError:
        return RequestError(
            413,
            "request_too_large",
            f"the request is larger than {self._config.max_upload_mb:g} MB, the most here; send"
            " fewer or shorter recordings, or compress them (flac, opus)",
            "file",
        )

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer; its body comes in bounded, and in time."""
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        if self._bodies >= self._config.max_uploads:
            await _refuse(self._service.too_busy(), receive, send)
            return
        is_in, left, refused = True, self._most_bytes, None
        begun = time.monotonic()
        self._bodies += 1

        async def bounded() -> Message:
            nonlocal is_in, left, refused
            if not is_in:
                return await receive()
            message: Message = {"type": "http.disconnect"}
            try:
                message = await asyncio.wait_for(receive(), self._config.body_s)
            except TimeoutError:
                refused = self._too_slow()
            left -= len(message.get("body", b""))
            came, patience_s = self._most_bytes - left, self._config.body_s
            if time.monotonic() - begun > patience_s + came / SLOWEST and message.get("more_body"):
                refused = self._too_slow()
            if left < 0:
                refused = self._too_large()
            if refused:  # frameworks hide what is raised here; they end at a disconnect
                message = {"type": "http.disconnect"}
            if not message.get("more_body"):
                is_in = False
                self._bodies -= 1
            return message

        async def unless_refused(message: Message) -> None:
            if not refused:
                await send(message)

        try:
            await self._app(scope, bounded, unless_refused)
        except Exception:
            if not refused:
                raise
        finally:
            self._bodies -= is_in
        if refused:
            await _refuse(refused, receive, send)

    def _too_slow(self) -> RequestError:
        return RequestError(
            408,
            "too_slow",
            f"nothing, or too little, came for {self._config.body_s:g} s; send the request again",
        )

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        """Log and count, by the route's pattern: a path may hold what only its client knows."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._service.metrics.requests.labels(method, route, status).inc()
        self._service.metrics.seconds.labels(method, route).observe(seconds)
        LOG.info("%s %s %d %.3f s", method, route, status, seconds)


async def _refuse(error: RequestError, receive: Receive, send: Send) -> None:
    """Answer with ``error``, and close. A connection that is closed while its client still sends is
    reset, and the answer lost, so what comes in the next seconds is read and thrown away."""
    response = error.response()
    response.headers["Connection"] = "close"
    start = {"type": "http.response.start", "status": error.status}
    await send({**start, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": bytes(response.body), "more_body": True})
    patience_s = 0.0 if error.status == 408 else LINGER_S
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def headers(config: ServiceConfig) -> list[tuple[bytes, bytes]]:
    """Of every answer that does not set them itself."""
    frames = config.frame_ancestor or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
        " media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
        f" frame-ancestors {frames}"
    )
    found = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if not config.frame_ancestor:
        found["X-Frame-Options"] = "DENY"
    return [(name.lower().encode(), value.encode()) for name, value in found.items()]


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith("/static/")


def _host(origin: str) -> str:
    """The host and port in a header Origin; of what has none, such as "null", all of it."""
    try:
        return urlsplit(origin).netloc or origin
    except ValueError:
        return origin


def _name(host: str) -> str:
    """The name in a Host header, without its port and brackets; empty if it is no host."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
