"""Sample rate and duration of an audio file, from its header if it has one."""

from __future__ import annotations

import contextlib
from pathlib import Path

from auricle.audio.readers import open_container
from auricle.audio.source import opened


def probe(path: Path) -> tuple[int, float]:
    """(sample rate in Hz, declared duration in seconds); decodes only if the file declares none.

    Raises AudioError: the file cannot be opened as audio.
    """
    with opened(path, str(path)) as stream, contextlib.closing(open_container(stream)) as file:
        return file.rate_hz, file.duration_s()
