"""Files of a run that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from auricle.errors import TrainingError


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """Save tensors and plain values; whatever happens, what ``path`` held before stands.

    Raises:
        TrainingError: it cannot be written; the disk is full, for example.
    """
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch turns a failed write into a RuntimeError
        part.unlink(missing_ok=True)
        raise TrainingError(
            f"{path}: cannot be written ({_reason(error, path)}); make room and go on with "
            "--resume, from the checkpoint before it"
        ) from error


def _reason(error: Exception, path: Path) -> str:
    free = shutil.disk_usage(path.parent).free / 2**20
    detail = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
    return f"{detail}; {free:.0f} MB are free"
