"""Recordings from the web: only http and https, a limited size and a limited time."""

from __future__ import annotations

import http.client
import io
import time
import urllib.parse
import urllib.request
from typing import IO, Any

from auricle.errors import AudioError, reason
from auricle.fetch.offline import OFFLINE, offline

MAX_BYTES = 256 << 20  # of one recording, which is kept in memory: an hour of stereo flac
TIMEOUT_S = 30.0  # without a new byte
DEADLINE_S = 600.0  # of the whole download
BLOCK_BYTES = 1 << 20
KEPT = "%/:?#[]@!$&'()*+,;=~"  # what an address may hold beside letters and digits


def fetch_recording(
    address: str,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = TIMEOUT_S,
    deadline_s: float = DEADLINE_S,
) -> bytes:
    """The content of an http or https ``address``.

    Raises AudioError: offline, no answer, another protocol (after a redirect, too), more than
    ``max_bytes``, or slower than ``timeout_s`` for a byte or ``deadline_s`` for all.
    """
    if offline():
        raise AudioError(
            f"{address}: not downloaded, as this is {OFFLINE}; fetch it another way and give the"
            " file"
        )
    opener = urllib.request.build_opener(_OnlyWeb)
    try:
        request = urllib.request.Request(
            urllib.parse.quote(address, safe=KEPT), headers={"User-Agent": "auricle"}
        )
        with opener.open(request, timeout=timeout_s) as response:
            return _read(response, address, max_bytes, deadline_s)
    except AudioError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AudioError(
            f"{address}: not downloaded ({reason(error)}); check the address, or download"
            " it another way and give the file"
        ) from error


def _read(response: http.client.HTTPResponse, address: str, most: int, deadline_s: float) -> bytes:
    end = time.monotonic() + deadline_s
    length = int(response.headers.get("Content-Length") or 0)
    content = io.BytesIO()
    while length <= most and (block := response.read1(BLOCK_BYTES)):
        content.write(block)
        if content.tell() > most:
            length = content.tell()
        if time.monotonic() > end:
            raise AudioError(
                f"{address}: not downloaded in {deadline_s:g} s; download it another way and give"
                " the file"
            )
    if length > most:
        raise AudioError(
            f"{address}: larger than {most / 2**20:g} MiB, the most that is opened from the web;"
            " download it and give the file"
        )
    if content.tell() < length:
        raise http.client.IncompleteRead(b"", length - content.tell())
    return content.getvalue()


class _OnlyWeb(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise ValueError(f"redirected to {newurl}, but only http and https are opened")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
