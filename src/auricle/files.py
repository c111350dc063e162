"""Files: atomic writing, tables, JSON Lines."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import math
import os
import secrets
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO

from auricle.errors import DataError, ModelError
from auricle.printable import printable

LINE_BYTES = 4 << 20  # of a line or row at most: a caption with 100 candidates has 30 kB
DIGITS = 400  # of a number at most; the largest of floating point has 309
LISTED = 12  # names in one message
_END = "\0"  # ends a table inside the reader; no line of text holds it


@contextlib.contextmanager
def whole_file(path: Path, part_name: str = "") -> Iterator[Path]:
    """A temporary name beside ``path``; its file replaces ``path`` when the block ends without an
    error, and is deleted otherwise. ``part_name``: a name that no one else uses meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(part_name or f".{path.name}.{secrets.token_hex(4)}.part")
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


@contextlib.contextmanager
def opened(path: Path, kind: str) -> Iterator[BinaryIO]:
    """The file ``path``, open for reading bytes; messages call it a ``kind``.

    Raises DataError: it cannot be read, or is no regular file, such as a pipe that would block.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path}: no {kind} that can be read (not a regular file)")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(f"{path}: no {kind} that can be read ({error.strerror})") from error


def is_file(path: Path | str) -> bool:
    """Whether ``path`` is a file; False also for a name that no file can have: a long address."""
    return os.path.isfile(path)  # noqa: PTH113  (Path.is_file raises where a name is too long)


def listed(
    names: Iterable[object], most: int = LISTED, letters: int = 40, between: str = ", "
) -> str:
    """``names`` for one line of a message: the first ``most``, each cut after so many ``letters``,
    and the number of the others."""
    found = list(names)
    told = between.join(printable(str(name)[:letters]) for name in found[:most])
    return f"{told} and {len(found) - most:,} more" if len(found) > most else told


def read_table(path: Path, required: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, stripped row by column name) for each row of a CSV file, or TSV by its suffix.

    The file is read as UTF-8, else as Windows-1252, the superset of Latin-1 of Clotho's metadata.
    Raises DataError for a file without the ``required`` columns or with two of one name, for a row
    with more or fewer fields than the header, such as one with an unquoted comma, for a double
    quote that is not closed, and for a row of more than `LINE_BYTES`.
    """
    delimiter = "\t" if path.suffix.lower() in {".tsv", ".tab"} else ","
    header: list[str] = []
    with opened(path, "table") as content:
        encoding = ("utf-8-sig", "strict") if is_utf8(content) else ("cp1252", "replace")
        file = io.TextIOWrapper(content, *encoding, newline="")
        lines = _TableLines(file, path)
        rows = csv.reader(lines, delimiter=delimiter)
        try:
            for cells in rows:
                first, lines.first = lines.first, rows.line_num + 1
                if cells and _END in cells[-1]:
                    if cells == [_END]:
                        break
                    raise DataError(f"{path}:{first}: a double quote is opened and never closed")
                if not any(cell.strip() for cell in cells):
                    continue
                cells = [cell.strip() for cell in cells]
                if not header:
                    header = _header(cells, required, path)
                    continue
                if len(cells) != len(header):
                    raise DataError(
                        f"{path}:{rows.line_num}: {len(cells)} fields under {len(header)} columns;"
                        " put fields that hold commas in double quotes"
                    )
                yield rows.line_num, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise DataError(f"{path}:{rows.line_num}: not a row of CSV ({error})") from error
    if not header:
        raise DataError(f"{path}: the table is empty; its first line must name the columns")


class _TableLines:
    """The lines of a table, then `_END`; ``first`` is the number of the first line of a row."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self.file, self.path, self.first = file, path, 1

    def __iter__(self) -> Iterator[str]:
        began = size = 0
        for number in count(1):
            line = self.file.readline(LINE_BYTES + 1)
            began, size = (began, size) if began == self.first else (self.first, 0)
            size += len(line)
            if size > LINE_BYTES:
                raise DataError(
                    f"{self.path}:{self.first}: a row of more than {LINE_BYTES >> 20} MB; is a"
                    " double quote not closed?"
                )
            if _END in line:
                raise DataError(f"{self.path}:{number}: holds NUL; save the table as UTF-8 text")
            if not line:
                break
            yield line
        yield _END


def _header(cells: list[str], required: Sequence[str], path: Path) -> list[str]:
    if missing := [name for name in required if name not in cells]:
        raise DataError(f"{path}: no column {', '.join(missing)}; it has {listed(cells)}")
    if twice := [name for name, times in Counter(cells).items() if name and times > 1]:
        raise DataError(f"{path}: two columns are called {listed(twice)}; rename one")
    return cells


def is_utf8(file: BinaryIO) -> bool:
    """Whether the whole content of ``file`` is UTF-8; its position is then the start."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while part := file.read(1 << 20):
            decoder.decode(part)
        decoder.decode(b"", final=True)
        return True
    except UnicodeDecodeError:
        return False
    finally:
        file.seek(0)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file: its number from 1, its first byte's offset, its bytes with the line end.

    Of a line of more than `LINE_BYTES` there is only the start, which `parse_json` refuses.
    """

    number: int
    offset: int
    content: bytes


def raw_lines(path: Path, kind: str = "table") -> Iterator[Line]:
    """The lines of the file ``path`` that are not blank, read one by one.

    Messages call the file a ``kind``. Raises DataError: it cannot be read.
    """
    with opened(path, kind) as file:
        offset = number = 0
        while content := file.readline(LINE_BYTES + 1):
            number, size = number + 1, len(content)
            if size > LINE_BYTES:
                rest = content
                while rest and not rest.endswith(b"\n"):
                    size += len(rest := file.readline(LINE_BYTES))
                content = content[:LINE_BYTES] + b"\n"
            if content.strip():
                yield Line(number, offset, content)
            offset += size


def parse_json(line: bytes) -> dict[str, Any]:
    """The JSON object of a line.

    Raises DataError: the line holds none; the message names the rule, not the place.
    """
    if len(line) > LINE_BYTES:
        raise DataError(f"a line of more than {LINE_BYTES >> 20} MB; write one object per line")
    try:
        row = load_json(line)
    except ValueError as error:
        raise DataError(f"not a line of JSON ({error}); write one object per line") from error
    if not isinstance(row, dict):
        raise DataError(f"a JSON {type(row).__name__}; each line must be an object")
    return row


def load_json(content: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises ValueError: it is none, or one that programs read differently: NaN, a number beyond
    floating point, a key that one object has twice, hundreds of levels.
    """
    try:
        return _JSON.decode(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = (key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the same key twice: {listed(twice)}")
    return found


def _whole_number(text: str) -> int:
    _number(text)
    return int(text)


def _number(text: str) -> float:
    if len(text) > DIGITS or not math.isfinite(value := float(text)):
        raise ValueError(f"a number of too many digits: {text[:12]}…")
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


_JSON = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_whole_number,
    parse_float=_number,
    parse_constant=_no_number,
)


def read_json(path: Path, most: int = 1 << 20) -> dict[str, Any]:
    """The JSON object that is the file ``path`` of a model, which may come from a stranger.

    Raises ModelError: it has more than ``most`` bytes, or is no JSON object whose keys differ.
    """
    return json_object(read_whole(path, most), path)


def json_object(content: bytes, path: Path) -> dict[str, Any]:
    """`read_json` of bytes that have been read from ``path``."""
    try:
        value = load_json(content)
        if rb"\ud" in content.lower():  # halves of a character, which no text may hold
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        if not isinstance(value, dict):
            raise ValueError(f"but a {type(value).__name__}")
    except ValueError as error:
        raise ModelError(
            f"{path}: not a JSON object ({str(error)[:200]}); fetch or write the file again"
        ) from error
    return value


def read_whole(path: Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes.

    Raises ModelError: it is larger, missing, or no file that can be read (a folder, a pipe).
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; fetch or write the folder again")
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > most:
        raise ModelError(f"{path}: larger than the {most >> 20} MB that such a file may have")
    return content


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
