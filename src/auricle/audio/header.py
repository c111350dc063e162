"""Header of an audio file: its sample rate, duration and format."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

from auricle.audio.readers import open_container
from auricle.audio.source import opened


class FileHeader(NamedTuple):
    """``duration_s``: as declared; 0 if the file does not say. ``format``: of the file, and its
    codec where that says more: "wav", "ogg vorbis"."""

    rate_hz: int
    duration_s: float
    format: str


def probe(content: Path | bytes | BinaryIO, name: str = "") -> FileHeader:
    """The header of a file, which is decoded only if it declares no duration; messages call it
    ``name``, by default its path.

    Raises AudioError: the file cannot be opened as audio.
    """
    name = name or str(content)
    with opened(content, name) as stream, contextlib.closing(open_container(stream)) as file:
        return FileHeader(file.rate_hz, file.duration_s(), file.format)
