"""Predictions: a system's caption of each clip, from a DCASE CSV or JSON Lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.errors import DataError, ModelError
from auricle.evaluation.rows import TABLES, rows_of
from auricle.files import listed
from auricle.records import Candidate
from auricle.schema import build
from auricle.shards import read_folder

COLUMNS = ("file_name", "caption_predicted")  # of a DCASE submission
NAMES = ("audio", "file_name", "id")  # keys of a JSON line that name its clip; the first counts
CAPTIONS = ("caption", "caption_predicted")
LONGEST = 400  # characters of a message


@dataclass(frozen=True)
class Prediction:
    """One row.

    Attributes:
        clip: the clip's name or id as in the file, perhaps a path.
        where: "captions.csv:17".
        candidates: all candidates of an auricle record, best first.
    """

    clip: str
    caption: str
    where: str
    candidates: tuple[Candidate, ...] = ()


def read_predictions(path: Path) -> list[Prediction]:
    """Every row of a CSV with the columns `COLUMNS`, or of JSON Lines as from `auricle caption
    --format jsonl`: one of `NAMES`, one of `CAPTIONS`, and perhaps ``candidates``; or of the folder
    of an `auricle batch`.

    Raises:
        DataError: the file is missing, or has another encoding or other columns; names file and
            line.
    """
    if path.is_dir():
        return _of_batch(path)
    table = path.suffix.lower() in TABLES
    found = []
    for line, row in rows_of(path, COLUMNS if table else ()):
        where = f"{path}:{line}"
        if table:
            found.append(Prediction(row[COLUMNS[0]], row[COLUMNS[1]], where))
        else:
            clip, caption = _text(row, NAMES, where), _text(row, CAPTIONS, where)
            found.append(Prediction(clip, caption, where, _candidates(row, where)))
    if not found:
        raise DataError(f"{path}: no predictions in it; give one row for each clip")
    return found


def _of_batch(folder: Path) -> list[Prediction]:
    """The captions of an auricle batch; a failed recording has none."""
    names = ("audio", "clip", "caption", "candidates")
    found = []
    for number, row in enumerate(read_folder(folder, names), 1):
        if row["caption"] is not None:
            where = f"{folder}:{number}"
            clip = row["clip"] or row["audio"]
            found.append(Prediction(clip, row["caption"], where, _candidates(row, where)))
    if not found:
        raise DataError(f"{folder}: no captions in it; every recording failed")
    return found


def _text(row: Mapping[str, Any], keys: tuple[str, ...], where: str) -> str:
    for key in keys:
        if isinstance(row.get(key), str):
            return str(row[key])
    raise DataError(
        f"{where}: has {listed(row) or 'no keys'}; it needs {' or '.join(keys)}, a string"
    )


def _candidates(row: Mapping[str, Any], where: str) -> tuple[Candidate, ...]:
    given = row.get("candidates") or []
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise DataError(f'{where}: "candidates" must be a list of objects, or left out')
    try:
        return tuple(build(Candidate, entry, where, "candidates") for entry in given)
    except ModelError as error:
        text = str(error)  # with the value, perhaps a megabyte of it
        raise DataError(text if len(text) < LONGEST else f"{text[:LONGEST]} …") from error
