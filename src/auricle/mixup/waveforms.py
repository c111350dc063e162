"""Waveform files with a comment tag on their origin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

FORMATS = ("flac", "wav")  # 16 bit, mono


def write_waveform(
    path: Path, waveform: np.ndarray, sample_rate_hz: int, comment: Mapping[str, Any]
) -> None:
    """Write ``waveform``, float32 [L] in [-1, 1], to ``path``, completely or not at all, in the
    format of its suffix. ``comment`` becomes JSON in the comment tag.

    Raises OSError: the file cannot be written.
    """
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    kind = {"format": path.suffix[1:], "subtype": "PCM_16"}
    try:
        with soundfile.SoundFile(part, "w", sample_rate_hz, 1, **kind) as file:
            file.comment = json.dumps(comment)
            file.write(waveform)
        part.replace(path)
    except soundfile.SoundFileError as error:
        raise OSError(f"{path}: cannot be written ({error}); is there room on the disk?") from error
    finally:
        part.unlink(missing_ok=True)


def read_comment(path: Path) -> dict[str, Any]:
    """The comment of `write_waveform` in ``path``; empty for a file from another program."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            comment = json.loads(file.comment)
    except (OSError, ValueError, soundfile.SoundFileError):
        return {}
    return comment if isinstance(comment, dict) else {}
