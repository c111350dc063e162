"""Bodies of requests that are in the memory while they come in, and so are bounded."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request
from starlette.requests import ClientDisconnect

from auricle.serve.problems import RequestError
from auricle.serve.service import Service

MOST_BYTES = 32 * 2**20  # of a request
HELD_BYTES = 256 * 2**20  # of all requests together


@dataclass
class Bodies:
    """``held``: bytes of all bodies that are read."""

    service: Service
    held: int = 0

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytearray]:
        """Within, the body is held. What is refused is read to its end, and thrown away: a client
        that still sends would not see the answer."""
        body, refused = bytearray(), None
        try:
            async for piece in request.stream():
                if refused:
                    continue
                if len(body) + len(piece) > MOST_BYTES:
                    refused = _too_large()
                elif self.held + len(piece) > HELD_BYTES:
                    refused = self.service.too_busy()
                else:
                    body += piece
                    self.held += len(piece)
                    continue
                self.held -= len(body)
                body.clear()
            if refused:
                raise refused
            yield body
        except ClientDisconnect as error:
            raise RequestError(499, "client_gone", "the client hung up") from error
        finally:
            self.held -= len(body)


def _too_large() -> RequestError:
    return RequestError(
        413,
        "request_too_large",
        f"the chat is larger than {MOST_BYTES / 2**20:g} MB; compress the recording (flac, opus),"
        " or send it to /v1/audio/transcriptions",
        "messages",
    )
