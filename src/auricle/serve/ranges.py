"""Files as answers: whole, or the range of bytes that a player asks for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from fastapi.responses import Response, StreamingResponse

from auricle.serve.problems import RequestError

MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
}
OTHER = "application/octet-stream"
CHUNK = 2**16  # bytes


def media_type(name: str) -> str:
    """By the ending of a file's name; never one that a browser runs."""
    return MEDIA_TYPES.get(os.path.splitext(name)[1].lower(), OTHER)  # noqa: PTH122


def file_answer(path: Path, name: str, wanted: str | None, download: bool) -> Response:
    """The file ``path``, called ``name``, or of it the range ``wanted`` by the header Range; what
    is no single range of bytes gives the whole file.

    Raises:
        RequestError: the range begins behind the end.
        OSError: the file cannot be opened.
    """
    file = path.open("rb")
    try:
        size = os.fstat(file.fileno()).st_size
        span = _span(wanted or "", size)
    except BaseException:
        file.close()
        raise
    begin, end = span or (0, size)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - begin),
        "Content-Disposition": f"{'attachment' if download else 'inline'};"
        f" filename*=UTF-8''{quote(name, safe='')}",
    }
    if span:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    return StreamingResponse(
        _chunks(file, begin, end),
        status_code=206 if span else 200,
        headers=headers,
        media_type=media_type(name),
    )


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """(first byte, the one behind the last) of a file of ``size`` bytes; None for all of it."""
    found = re.fullmatch(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", wanted, re.ASCII)
    if not found or found[1] == found[2] == "":
        return None
    if not found[1]:  # so many at the end
        begin, end = max(0, size - int(found[2])), size
    else:
        begin = int(found[1])
        end = min(size, int(found[2]) + 1) if found[2] else size
        if found[2] and int(found[2]) < begin:
            return None
    if begin >= size:
        raise RequestError(416, "range_behind_end", f"the file has {size} bytes", "Range")
    return begin, end


def _chunks(file: BinaryIO, begin: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(begin)
        while begin < end and (chunk := file.read(min(CHUNK, end - begin))):
            begin += len(chunk)
            yield chunk
