"""The cache folder, for downloads and derived files."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """$AURICLE_CACHE, else ``auricle`` in the user's cache folder, by default ~/.cache."""
    if chosen := os.environ.get("AURICLE_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "auricle"
