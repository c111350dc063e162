"""What is written of a recording: its captions as one text, with confidence, model and date."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from auricle.clock import clock
from auricle.printable import printable
from auricle.records import Caption

CUT = "..."


@dataclass(frozen=True)
class Entry:
    """``confidence``: of the least certain caption, two digits; empty if the model gives none."""

    caption: str
    confidence: str
    model: str
    date: str


def entry(captions: Iterable[Caption], day: date | None = None) -> Entry:
    """The entry of one recording.

    A single caption from the start on is the text. Others have their times, in order: ``0:03-0:07 a
    dog barks; 1:02:10-1:02:15 rain falls``. Of two captions of the same time, the later given
    counts. What does not print is escaped.
    """
    by_time = {(one.start_s, one.end_s): one for one in captions}
    ordered = [by_time[time] for time in sorted(by_time)]
    known = [one.confidence for one in ordered if one.confidence is not None]
    models = dict.fromkeys(one.model for one in ordered)
    single = len(ordered) == 1 and ordered[0].start_s == 0
    return Entry(
        caption=printable("; ".join(one.caption if single else _timed(one) for one in ordered)),
        confidence=f"{min(known):.2f}" if known else "",
        model=printable(", ".join(models)),
        date=(day or date.today()).isoformat(),
    )


def in_ascii(text: str, most: int) -> str:
    """``text`` in at most so many ASCII characters, without accents and cut between words; empty if
    it has letters that ASCII lacks."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = plain.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-"})
    if not plain.isascii():
        return ""
    if len(plain) <= most:
        return plain
    kept = plain[: most - len(CUT) + 1]
    return (kept[:-1] if " " not in kept else kept.rpartition(" ")[0]) + CUT


def _timed(caption: Caption) -> str:
    return f"{clock(caption.start_s)}-{clock(caption.end_s)} {caption.caption}"
