"""Running the service until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from auricle.errors import OutputError
from auricle.serve.app import create_app
from auricle.serve.service import Service

MOST_HEADER = 16 * 1024  # bytes
BACKLOG = 2048  # connections that wait to be taken


class Server(uvicorn.Server):
    """A server whose signals are handled by its caller: `stop` ends it gracefully."""

    service: Service

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.service.stopping.set()
        self.should_exit = True


def server_of(service: Service) -> Server:
    config = service.config
    server = Server(
        uvicorn.Config(
            create_app(service),
            http=protocol(config.header_s),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=round(config.graceful_s),
            h11_max_incomplete_event_size=MOST_HEADER,
        )
    )
    server.service = service
    return server


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections; ``port`` 0 takes a free one.

    Raises OutputError: the address cannot be had.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With the protocol's number, without which asyncio leaves Nagle's delay of 40 ms on.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address[:2])
            listener.listen(BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener
    except OSError as error:
        named = isinstance(error, socket.gaierror)
        why = error.strerror if named else os.strerror(error.errno or 0)
        raise OutputError(
            f"{host}:{port}: cannot be listened on ({why}); give another --port or --host"
        ) from error


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def protocol(header_s: float) -> type[asyncio.Protocol]:
    """HTTP that closes a connection whose next header does not come within ``header_s``."""

    class Patient(H11Protocol):
        _patience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._await_header()

        def data_received(self, data: bytes) -> None:
            waits = self._patience is not None
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._header_came()
            elif not waits:
                self._await_header()

        def connection_lost(self, error: Exception | None) -> None:
            self._header_came()
            super().connection_lost(error)

        def _await_header(self) -> None:
            self._patience = self.loop.call_later(header_s, self._give_up)

        def _header_came(self) -> None:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None

        def _give_up(self) -> None:
            self._patience = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return Patient


def log_to(stream: Any) -> None:
    """Write the service's log there: a line per request, without contents."""
    log = logging.getLogger("auricle.serve")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
    errors = logging.getLogger("uvicorn.error")
    errors.handlers, errors.propagate = [handler], False
    errors.setLevel(logging.WARNING)
