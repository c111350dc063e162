"""Files: atomic writing, tables, JSON Lines."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO

from auricle.errors import DataError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; its file replaces ``path`` when the block ends without an
    error, and is deleted otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text file that replaces ``path`` when the block ends without an error.

    File names that are not Unicode are written as JSON escapes, which `json.loads` reads back.
    """
    with whole_file(path) as part, part.open("x", encoding="utf-8", errors="backslashreplace") as f:
        yield f
        _to_disk(f)


@contextlib.contextmanager
def atomic_bytes(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes ``path``'s place when the block ends without an error."""
    with whole_file(path) as part, part.open("xb") as file:
        yield file
        _to_disk(file)


def _to_disk(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def read_table(path: Path, required: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, stripped row by column name) for each row of a CSV file, or TSV by its suffix.

    The file is read as UTF-8, else as Windows-1252, the superset of Latin-1 of Clotho's metadata.
    Raises DataError for a file without the ``required`` columns, and for a row with more or fewer
    fields than the header, such as one with an unquoted comma.
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


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file: its number from 1, its first byte's offset, its bytes with the line end."""

    number: int
    offset: int
    content: bytes


def raw_lines(path: Path, kind: str = "table") -> Iterator[Line]:
    """The lines of the file ``path`` that are not blank, read one by one.

    Messages call the file a ``kind``. Raises DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            offset = 0
            for number, content in enumerate(file, 1):
                if content.strip():
                    yield Line(number, offset, content)
                offset += len(content)
    except OSError as error:
        raise DataError(f"{path}: no {kind} that can be read ({error.strerror})") from error


def parse_json(line: bytes) -> dict[str, Any]:
    """The JSON object of a line.

    Raises DataError: the line holds none; the message names the rule, not the place.
    """
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except ValueError as error:  # or bytes that are not UTF-8
        raise DataError(f"not a line of JSON ({error}); write one object per line") from error
    if not isinstance(row, dict):
        raise DataError(f"a JSON {type(row).__name__}; each line must be an object")
    return row


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) for each line of the JSON Lines file ``path``.

    Raises DataError: the file or a line cannot be read; the message names the line.
    """
    for line in raw_lines(path):
        try:
            yield line.number, parse_json(line.content)
        except DataError as error:
            raise DataError(f"{path}:{line.number}: {error}") from error


def kept_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """`json_rows` of a file that `append_rows` fills; none if there is no file yet.

    A last line torn by a kill is cut off, or completed if only its line end is missing.

    Raises DataError: the file or a whole line cannot be read; the message names the line.
    """
    for line in raw_lines(path) if path.exists() else ():
        whole = line.content.endswith(b"\n")
        try:
            row = parse_json(line.content)
        except DataError as error:
            if whole or not line.content.startswith(b"{"):
                raise DataError(f"{path}:{line.number}: {error}") from error
            os.truncate(path, line.offset)
            return
        if not whole:
            _append(path, b"\n")
        yield line.number, row


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add a line of JSON for each of ``rows``; they are on the disk when this returns.

    Raises DataError: they cannot be written.
    """
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    _append(path, lines.encode("utf-8", "backslashreplace"))


def _append(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)
            _to_disk(file)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); make room and run the same again, what "
            "the file holds stays"
        ) from error
