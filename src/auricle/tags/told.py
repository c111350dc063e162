"""Captions that files of records tell, by recording."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from auricle.errors import DataError, ModelError
from auricle.files import json_rows, listed, load_json, opened
from auricle.records import Caption
from auricle.schema import build

SUFFIXES = {".jsonl", ".ndjson", ".json"}
MOST = 1 << 30  # bytes of a JSON array, which is read at once


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
        for where, row in _rows(path):
            caption = _caption(row, where)
            found.setdefault(_place(caption.audio, path.parent, root), []).append(caption)
    return found


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.suffix.lower() != ".json":
        for line, row in json_rows(path):
            yield f"{path}:{line}", row
        return
    with opened(path, "file of records") as file:
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise DataError(f"{path}: more than {MOST >> 30} GB; write records as JSON Lines")
    try:
        rows = load_json(content)
    except ValueError as error:
        raise DataError(f"{path}: not a file of JSON ({error})") from error
    rows = rows if isinstance(rows, list) else [rows]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DataError(
                f"{path}: record {number} is a JSON {type(row).__name__}, not an object"
            )
        yield f"{path}: record {number}", row


def _caption(row: dict[str, Any], where: str) -> Caption:
    for key in ("audio", "caption"):
        if not isinstance(row.get(key), str):
            raise DataError(
                f"{where}: has {listed(row) or 'no keys'}; it needs audio and caption, both texts,"
                " as auricle caption --format jsonl writes them"
            )
    fields = ("audio", "start_s", "end_s", "caption", "model", "confidence")
    given = {key: row[key] for key in fields if row.get(key) is not None}
    absent = {
        "start_s": 0.0,
        "end_s": 0.0,
        "score": None,
        "candidates": (),
        "decode": "",
        "seed": 0,
    }
    try:
        return build(Caption, {"model": "", **absent, **given}, where)
    except ModelError as error:
        raise DataError(str(error)) from error


def _place(audio: str, folder: Path, root: Path | None) -> Path:
    if root is not None:
        return root / audio
    return Path(audio) if os.path.lexists(audio) else _beside(Path(audio), folder)


def _beside(path: Path, folder: Path) -> Path:
    return folder / path if os.path.lexists(folder / path) else path
