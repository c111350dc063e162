"""Sample rate and duration of an audio file, from its header if it has one."""

from __future__ import annotations

import contextlib
from pathlib import Path

from auricle.errors import AudioError


def probe(path: Path) -> tuple[int, float]:
    """(sample rate in Hz, declared duration in seconds); decodes only if the file declares none.

    Raises AudioError: the file cannot be opened as audio.
    """
    from auricle.audio.readers import open_container

    try:
        with (
            path.open("rb") as stream,
            contextlib.closing(open_container(stream, str(path))) as file,
        ):
            return file.rate_hz, file.duration_s()
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror}); check the path") from error
