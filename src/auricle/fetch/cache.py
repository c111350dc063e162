"""Cache folder of what auricle fetches and derives."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where auricle keeps what it derives: $AURICLE_CACHE, else ~/.cache/auricle."""
    if chosen := os.environ.get("AURICLE_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "auricle"
