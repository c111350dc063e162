"""Writers of caption records: text, JSON Lines, JSON, a table or DCASE's CSV, one at a time.

A writer is a context manager around a text stream that it does not close. It flushes after every
caption, so an interrupted run keeps its finished captions. The end of the block completes the
document, also after an error; it does not flush.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import Self, TextIO

from auricle.clock import clock
from auricle.printable import printable, printable_json
from auricle.records import Caption, LiveCaption


class Writer:
    """Base of the formats: ``begin``, ``record`` per caption and ``end`` on one stream."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def write(self, caption: Caption, partial: bool = False) -> None:
        """``partial``: only a part of the recording was heard."""
        self.record(caption, partial)
        self.stream.flush()

    def begin(self) -> None:
        """Write the text before the first record."""

    def record(self, caption: Caption, partial: bool) -> None:
        raise NotImplementedError

    def fail(self, name: str, reason: str) -> None:
        """Write that a recording has no caption, where the format has a place for it."""

    def end(self) -> None:
        """Write the text after the last record."""


class TextWriter(Writer):
    """One line ``path<TAB>caption`` per record; what does not print is escaped."""

    def record(self, caption: Caption, partial: bool) -> None:
        self.stream.write(f"{printable(caption.audio)}\t{printable(caption.caption)}\n")


class LiveWriter(Writer):
    """One line ``[time] caption`` per record of listening; a sound that goes on ends in … instead
    of the caption's full stop. ``elapsed``: the time is that since the start of listening."""

    def __init__(self, stream: TextIO, elapsed: bool = False) -> None:
        super().__init__(stream)
        self._elapsed = elapsed

    def record(self, caption: Caption, partial: bool) -> None:
        assert isinstance(caption, LiveCaption)
        text = printable(caption.caption)
        if caption.goes_on:
            text = f"{text.removesuffix('.')} …"
        self.stream.write(f"[{self._time(caption)}] {text}\n")

    def _time(self, caption: LiveCaption) -> str:
        if not self._elapsed:
            return caption.time[11:19]
        return clock(int(caption.start_s), hours=True)


class JsonLinesWriter(Writer):
    """One JSON object per line, with the fields of ``Caption`` as keys."""

    def record(self, caption: Caption, partial: bool) -> None:
        self.stream.write(to_json(caption) + "\n")


class JsonWriter(Writer):
    """One JSON array of the same objects, one per line."""

    def begin(self) -> None:
        self._before = "[\n"

    def record(self, caption: Caption, partial: bool) -> None:
        before, self._before = self._before, ",\n"  # first: an interruption may end the writing
        self.stream.write(before + to_json(caption))

    def end(self) -> None:
        self.stream.write("[]\n" if self._before == "[\n" else "\n]\n")


class CsvWriter(Writer):
    """The submission format of DCASE's captioning task: ``file_name,caption_predicted``.

    It is for the programs that score it, which know a clip by its file name: names stay as they
    are, even if one begins with =, which a spreadsheet takes for a formula. Only on a terminal is
    what does not print escaped.
    """

    def begin(self) -> None:
        self._rows = csv.writer(self.stream, lineterminator="\n")
        self._rows.writerow(("file_name", "caption_predicted"))

    def record(self, caption: Caption, partial: bool) -> None:
        row = (PurePath(caption.audio).name, caption.caption)
        self._rows.writerow(map(printable, row) if self.stream.isatty() else row)


class TableWriter(Writer):
    """A table for people, with a row for every recording, also for one without a caption.

    ``start`` and ``end`` are the seconds that were heard; ``status`` is `STATUS`. It opens in every
    spreadsheet: CSV as in RFC 4180, UTF-8 with a byte order mark, without which Excel misreads it.
    A cell that begins with = + - @ (or their wide forms) or ' has a ' before it: the spreadsheet
    then shows the text and computes nothing. What does not print is escaped.
    """

    COLUMNS = ("path", "start", "end", "caption", "confidence", "status", "error")
    STATUS = ("ok", "partial", "failed")  # partial: only a part of the recording was heard

    def begin(self) -> None:
        self.stream.write("\ufeff")
        self._rows = csv.writer(self.stream, lineterminator="\r\n")
        self._rows.writerow(self.COLUMNS)

    def record(self, caption: Caption, partial: bool) -> None:
        place = (cell(caption.audio), caption.start_s, caption.end_s)
        confidence = "" if caption.confidence is None else f"{caption.confidence:.3f}"
        self._rows.writerow((*place, cell(caption.caption), confidence, self.STATUS[partial], ""))

    def fail(self, name: str, reason: str) -> None:
        self._rows.writerow((cell(name), "", "", "", "", self.STATUS[2], cell(reason)))


WRITERS: dict[str, Callable[[TextIO], Writer]] = {
    "text": TextWriter,
    "jsonl": JsonLinesWriter,
    "json": JsonWriter,
    "table": TableWriter,
    "csv": CsvWriter,
}

# Of timed captions, many of one recording: their csv is the table with times, not DCASE's.
TIMELINE_WRITERS: dict[str, Callable[[TextIO], Writer]] = {
    "jsonl": JsonLinesWriter,
    "json": JsonWriter,
    "csv": TableWriter,
}

SUFFIXES = {
    "text": ".txt",
    "jsonl": ".jsonl",
    "json": ".json",
    "table": ".table.csv",
    "csv": ".csv",
}


def document(
    writer_of: Callable[[TextIO], Writer], captions: Iterable[Caption], partial: bool = False
) -> str:
    """A whole document of ``captions``."""
    stream = io.StringIO(newline="")
    with writer_of(stream) as writer:
        for caption in captions:
            writer.write(caption, partial)
    return stream.getvalue()


def to_json(caption: Caption) -> str:
    """The record as one line of JSON; text is unescaped, unless it does not print."""
    return printable_json(json.dumps(caption.to_dict(), ensure_ascii=False))


def cell(text: str) -> str:
    """``text`` as a cell that a spreadsheet shows, and never computes."""
    text = printable(text)  # also a tab or a line end before a formula
    return f"'{text}" if text.startswith(tuple("=+-@'＝＋－＠")) else text
