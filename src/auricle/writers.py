"""Writers of caption records: text, JSON Lines, JSON or CSV, one record at a time.

A writer is a context manager around a text stream that it does not close. It flushes every record,
so an interrupted run keeps its finished captions. The end of the block completes the document, also
after an error.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import PurePath
from typing import Self, TextIO

from auricle.records import Caption


class Writer:
    """Base of the formats: ``begin``, ``write`` per record and ``end`` on one stream."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __enter__(self) -> Self:
        self.begin()
        self.stream.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self.stream.flush()

    def write(self, caption: Caption) -> None:
        self.record(caption)
        self.stream.flush()

    def begin(self) -> None:
        """Write the text before the first record."""

    def record(self, caption: Caption) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Write the text after the last record."""


class TextWriter(Writer):
    """One line ``path<TAB>caption`` per record."""

    def record(self, caption: Caption) -> None:
        self.stream.write(f"{caption.audio}\t{caption.caption}\n")


class JsonLinesWriter(Writer):
    """One JSON object per line, with the fields of ``Caption`` as keys."""

    def record(self, caption: Caption) -> None:
        self.stream.write(to_json(caption) + "\n")


class JsonWriter(Writer):
    """One JSON array of the same objects, one per line."""

    def begin(self) -> None:
        self._before = "[\n"

    def record(self, caption: Caption) -> None:
        self.stream.write(self._before + to_json(caption))
        self._before = ",\n"

    def end(self) -> None:
        self.stream.write("[]\n" if self._before == "[\n" else "\n]\n")


class CsvWriter(Writer):
    """The submission format of DCASE's captioning task: ``file_name,caption_predicted``."""

    def begin(self) -> None:
        self._rows = csv.writer(self.stream, lineterminator="\n")
        self._rows.writerow(("file_name", "caption_predicted"))

    def record(self, caption: Caption) -> None:
        self._rows.writerow((PurePath(caption.audio).name, caption.caption))


WRITERS: dict[str, Callable[[TextIO], Writer]] = {
    "text": TextWriter,
    "jsonl": JsonLinesWriter,
    "json": JsonWriter,
    "csv": CsvWriter,
}


def to_json(caption: Caption) -> str:
    """The record as one line of JSON, text unescaped."""
    return json.dumps(asdict(caption), ensure_ascii=False)
