"""Downloads from the web: resumed after an interruption, and checked against a digest."""

from __future__ import annotations

import base64
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from auricle.errors import DataError
from auricle.fetch.offline import OFFLINE, offline
from auricle.watch import UNKNOWN, Progress, silent

BLOCK_BYTES = 1 << 20
TIMEOUT_S = 60.0
ATTEMPTS = 5  # in a row without a single new byte
PAUSE_S = 2.0  # before the second attempt; doubled before each further one
RANGE_REFUSED = 416  # HTTP: the file ends before the requested byte


def download(
    url: str,
    path: Path,
    checksum: str,
    progress: Progress = silent,
    pause_s: float = PAUSE_S,
    algorithm: str = "md5",
) -> bool:
    """Download ``url`` to ``path``; False if the file was already there.

    An existing file with the digest ``checksum``, by an ``algorithm`` of hashlib, is kept. The next
    call resumes a partial download from ``path``.part, even after this process was killed.
    ``progress`` gets bytes and their total.

    Raises DataError: there is no connection, or the content has another digest.
    """
    if path.is_file() and digest(path, algorithm) == checksum:
        return False
    if offline():
        raise DataError(
            f"{shown(url)}: not downloaded, as this is {OFFLINE}; fetch it another way and put it"
            f" at {path}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    failures = 0
    while True:
        size = part.stat().st_size if part.exists() else 0
        try:
            _fetch(url, part, f"download {path.name}", progress)
            break
        except (OSError, http.client.HTTPException) as error:
            status = getattr(error, "code", None)
            if status == RANGE_REFUSED:
                break  # complete; the digest decides
            came = (part.stat().st_size if part.exists() else 0) > size
            failures = 1 if came else failures + 1
            final = isinstance(status, int) and 400 <= status < 500
            if final or failures == ATTEMPTS or _no_space(error):
                raise DataError(
                    f"{shown(url)}: not downloaded ({error}); run this again to resume, or fetch it"
                    f" another way and put it at {path}"
                ) from error
            time.sleep(pause_s * 2 ** (failures - 1))
    if (found := digest(part, algorithm)) != checksum:
        part.unlink()
        raise DataError(
            f"{shown(url)}: the download has the {algorithm.upper()} digest {found}, not the"
            f" published {checksum}; it was deleted, run this again"
        )
    part.replace(path)
    return True


def digest(path: Path, algorithm: str = "md5") -> str:
    """Digest of a file in hexadecimal. Zenodo publishes MD5, which detects accidents only."""
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()


def opened(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """The response of a GET request; a user and password in ``url`` go to its own host alone."""
    headers = {"User-Agent": "auricle", **(headers or {})}
    request = urllib.request.Request(shown(url), headers=headers)
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    if at:
        secret = base64.b64encode(unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {secret}")
    return urllib.request.urlopen(request, timeout=TIMEOUT_S)


def shown(url: str) -> str:
    """``url`` without the user and password in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _fetch(url: str, part: Path, stage: str, progress: Progress) -> None:
    """Append the missing rest of ``url`` to ``part``."""
    done = part.stat().st_size if part.exists() else 0
    with opened(url, {"Range": f"bytes={done}-"} if done else {}) as response:
        if response.status != http.client.PARTIAL_CONTENT:
            done = 0  # a server without ranges starts over
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else UNKNOWN
        with part.open("ab" if done else "wb") as file:
            while block := response.read(BLOCK_BYTES):
                file.write(block)
                done += len(block)
                progress(stage, done, total)
    if done < total:
        raise http.client.IncompleteRead(b"", total - done)


def _no_space(error: Exception) -> bool:
    import errno

    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EACCES}
