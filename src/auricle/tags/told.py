"""Captions that files of records tell, by recording."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from auricle.records import Caption, read_captions

SUFFIXES = {".jsonl", ".ndjson", ".json"}


def is_records(path: str) -> bool:
    """Whether ``path`` names records and not a recording."""
    return Path(path).suffix.lower() in SUFFIXES and not Path(path).is_dir()


def told(paths: Iterable[Path], root: Path | None = None) -> dict[Path, list[Caption]]:
    """The captions of each recording in records of `auricle caption` or `auricle timeline`, JSON
    Lines or one JSON array; in the order of the first ones.

    The path of a recording is that of the record, below ``root``; without a root, from the working
    directory on, or from the folder of the records where nothing is there.

    Raises DataError: a file cannot be read, or holds something else; names file and line.
    """
    found: dict[Path, list[Caption]] = {}
    for path in paths:
        for _, caption in read_captions(path):
            found.setdefault(_place(caption.audio, path.parent, root), []).append(caption)
    return found


def _place(audio: str, folder: Path, root: Path | None) -> Path:
    if root is not None:
        return root / audio
    return Path(audio) if os.path.lexists(audio) else _beside(Path(audio), folder)


def _beside(path: Path, folder: Path) -> Path:
    return folder / path if os.path.lexists(folder / path) else path
