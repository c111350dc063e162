"""CSV tables and JSON Lines as people and data sets write them, and what a reader hands back."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.data.manifest import Clip
from auricle.errors import DataError


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row or file that gave no clip: ``where`` it stands ("train.csv:17", a path) and why."""

    where: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A data set read: its clips, and everything in it that is not among them."""

    clips: list[Clip]
    left_out: list[LeftOut]

    def reasons(self) -> Counter[str]:
        """How much was left out for which reason."""
        return Counter(item.reason for item in self.left_out)


def read_table(path: Path, required: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, row by column name, stripped) for each row of a CSV file, or TSV by its suffix.

    Read as UTF-8 if it is, else as Windows-1252, the superset of Latin-1 in which Clotho's
    metadata comes. Raises DataError for a file without the ``required`` columns, and for a row
    with more or fewer fields than the header, as an unquoted comma makes it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: no table that can be read ({error.strerror})") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    delimiter = "\t" if path.suffix.lower() in {".tsv", ".tab"} else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header: list[str] = []
    try:
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            cells = [cell.strip() for cell in cells]
            if not header:
                header = cells
                if missing := [name for name in required if name not in header]:
                    raise DataError(
                        f"{path}: no column {', '.join(missing)}; it has {', '.join(header)}"
                    )
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{path}:{rows.line_num}: {len(cells)} fields under {len(header)} columns; put"
                    " fields that hold commas in double quotes"
                )
            yield rows.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num}: not a row of CSV ({error})") from error
    if not header:
        raise DataError(f"{path}: the table is empty; its first line must name the columns")


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of JSON Lines with their line numbers, from 1; empty lines are passed over.

    Raises:
        DataError: the file, or a line of it, cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no table that can be read ({error})") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}:{number}: not a line of JSON ({error})") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: a JSON {type(row).__name__}; give one object a line")
        yield number, row
