"""Results of tuning: a copy of the model, and a report beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auricle.errors import ModelError
from auricle.files import read_json

REPORT = "tuning.json"


def check_output(folder: Path) -> None:
    """Check, before hours of work, that the folder is free for a model.

    Raises:
        ModelError: the folder is not empty, or is a file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder}: exists and is not empty; name a new folder")


def is_same(one: Path, other: Path) -> bool:
    """Whether both are the same folder."""
    return one.exists() and other.exists() and one.samefile(other)


def write_report(folder: Path, name: str, report: Mapping[str, Any]) -> None:
    """Put ``report`` under ``name`` into the folder's `REPORT`; other entries stay."""
    path = folder / REPORT
    there = read_json(path) if path.is_file() else {}
    text = json.dumps(there | {name: report}, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
