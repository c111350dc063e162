"""Rows of users' files; every fault is kept and named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.data.reading import LeftOut
from auricle.errors import DataError
from auricle.files import LINE_BYTES, is_utf8, json_rows, listed, opened, raw_lines, read_table

TABLES = {".csv", ".tsv", ".tab"}
JSON_LINES = {".jsonl", ".ndjson"}
SHOWN = 10  # row numbers in one message
NAMED = 5  # rows listed per reason


@dataclass(frozen=True)
class Faults:
    """The faults of one file or between two, in order; each is a `LeftOut`."""

    found: tuple[LeftOut, ...] = ()

    def lines(self) -> list[str]:
        """One line each for the first `NAMED` of every reason, then the number of others."""
        by_reason: dict[str, list[LeftOut]] = {}
        for fault in self.found:
            by_reason.setdefault(fault.reason, []).append(fault)
        lines = []
        for reason, faults in by_reason.items():
            for fault in faults[:NAMED]:
                lines.append(f"{fault.where}: {reason}{': ' if fault.detail else ''}{fault.detail}")
            if len(faults) > NAMED:
                where = ", ".join(fault.where.rpartition(":")[2] for fault in faults[NAMED:][:50])
                more = "" if len(faults) <= NAMED + 50 else " …"
                lines.append(f"{reason}: {len(faults) - NAMED} more ({where}{more})")
        return lines


def rows_of(path: Path, required: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, row) of a CSV, TSV or JSON Lines file in UTF-8.

    Raises:
        DataError: the file cannot be read, has another encoding, or has a broken line; names the
            lines.
    """
    check_encoding(path)
    if path.suffix.lower() in JSON_LINES:
        yield from json_rows(path)
    elif path.suffix.lower() in TABLES:
        yield from read_table(path, required)
    else:
        raise DataError(f"{path}: give a file whose name ends in .csv, .tsv or .jsonl")


def check_encoding(path: Path) -> None:
    """Check that a file is UTF-8, because a misread name matches no clip.

    Raises:
        DataError: the file is not UTF-8; names the lines.
    """
    with opened(path, "file") as file:
        start = file.read(4096)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start:
            raise DataError(f"{path}: not UTF-8 but UTF-16 or no text at all; save it as UTF-8")
        if is_utf8(file):
            return
    whole = (line for line in raw_lines(path, "file") if len(line.content) <= LINE_BYTES)
    wrong = [line.number for line in whole if not _decodes(line.content)]
    if wrong:
        raise DataError(
            f"{path}: not UTF-8 in line {listed(wrong, SHOWN)}; convert it "
            "(iconv -f WINDOWS-1252 -t UTF-8)"
        )


def _decodes(line: bytes) -> bool:
    try:
        line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return True
