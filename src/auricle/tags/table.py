"""Tables that programs for sound libraries import: a row per recording.

They are CSV as in RFC 4180, UTF-8 without a byte order mark, which such programs take for a part of
the first heading. Names of files are exact, since they find the recordings; a text begins with no
sign that a spreadsheet takes for a formula.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from auricle.tags.chunks import COMMENT, DESCRIPTION, fits_bext
from auricle.tags.entry import Entry
from auricle.tags.keywords import keywords
from auricle.tags.ucs import category

FORMULA = "=+-@'＝＋－＠ \t"

Row = dict[str, str]


def soundminer(path: Path, entry: Entry) -> Row:
    """Columns by the names of Soundminer's fields, with the category of UCS; empty cells where the
    caption leads to none."""
    found = category(entry.caption)
    return {
        "FileName": path.name,
        "Pathname": str(path.absolute()),
        "Description": _text(entry.caption),
        "Keywords": ", ".join(keywords(entry.caption)),
        "Category": found.category if found else "",
        "SubCategory": found.subcategory if found else "",
        "CategoryFull": found.full if found else "",
        "CatID": found.cat_id if found else "",
    }


def bwfmetaedit(path: Path, entry: Entry) -> Row:
    """BWF MetaEdit's CORE document: full path, bext Description (ASCII, at most 256 bytes), and the
    items of LIST INFO for the whole caption and its keywords. Columns that are not there leave what
    the files hold."""
    text = _text(entry.caption)
    return {
        "FileName": str(path.absolute()),
        DESCRIPTION: fits_bext(text),
        COMMENT: text,
        "IKEY": "; ".join(keywords(entry.caption)),
    }


STYLES: dict[str, Callable[[Path, Entry], Row]] = {
    "soundminer": soundminer,
    "bwfmetaedit": bwfmetaedit,
}


class Table:
    """Writes rows of a style to ``stream``, the heading with the first."""

    def __init__(self, stream: TextIO, style: str) -> None:
        self._stream, self._row = stream, STYLES[style]
        self._writer: csv.DictWriter[str] | None = None

    def write(self, path: Path, entry: Entry) -> None:
        row = self._row(path, entry)
        if not self._writer:
            self._writer = csv.DictWriter(self._stream, list(row), lineterminator="\r\n")
            self._writer.writeheader()
        self._writer.writerow(row)
        self._stream.flush()


def _text(caption: str) -> str:
    return caption.lstrip(FORMULA)
