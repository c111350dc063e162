"""Annotations: the timed captions of one recording as files of Praat, Audacity and ELAN.

Times are whole milliseconds there. Captions that overlap go to further tiers, because the intervals
of one tier may not.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from auricle.audio.kinds import is_address
from auricle.printable import printable
from auricle.records import Caption

TIER = "captions"  # the second is "captions 2"
NOT_XML = re.compile("[\ufffe\uffff]")  # beside what does not print
ELAN_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
ELAN_CONSTRAINTS = {  # every document of ELAN describes all four
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps "
    "allowed within this interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to "
    "the same parent are ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps "
    "are allowed",
}


def text_grid(captions: Sequence[Caption], duration_s: float, media: str) -> str:
    """A TextGrid of Praat in the long form: one interval tier or more, each covering the recording
    without gaps, with empty texts between the captions."""
    found = lanes(captions) or [[]]
    last = max([round(1000 * duration_s), *(span_ms(one)[1] for one in captions)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {last / 1000}", "tiers? <exists>", f"size = {len(found)}"]
    lines.append("item []:")
    for number, (name, lane) in enumerate(_named(found), 1):
        intervals = [*_intervals(lane, last)]
        lines += [f"    item [{number}]:", '        class = "IntervalTier"']
        lines += [f'        name = "{name}"', "        xmin = 0", f"        xmax = {last / 1000}"]
        lines.append(f"        intervals: size = {len(intervals)}")
        for place, (begin, end, text) in enumerate(intervals, 1):
            lines += [f"        intervals [{place}]:", f"            xmin = {begin / 1000}"]
            lines.append(f"            xmax = {end / 1000}")
            lines.append('            text = "{}"'.format(text.replace('"', '""')))
    return "\n".join(lines) + "\n"


def audacity_labels(captions: Sequence[Caption], duration_s: float, media: str) -> str:
    """A label track of Audacity: a line ``start TAB end TAB caption`` for each caption."""
    rows = ((*span_ms(one), one_line(one.caption)) for one in in_order(captions))
    return "".join(f"{begin / 1000:.6f}\t{end / 1000:.6f}\t{text}\n" for begin, end, text in rows)


def elan_document(captions: Sequence[Caption], duration_s: float, media: str) -> str:
    """An annotation document of ELAN (EAF 3.0) on the recording ``media``, a path."""
    root = ElementTree.Element("ANNOTATION_DOCUMENT", AUTHOR="auricle", FORMAT="3.0", VERSION="3.0")
    root.set("DATE", datetime.now(UTC).isoformat(timespec="seconds"))
    root.set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
    root.set("xsi:noNamespaceSchemaLocation", ELAN_SCHEMA)
    header = _add(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    _add(header, "MEDIA_DESCRIPTOR", **_media(media))
    _add(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(len(captions))
    order = _add(root, "TIME_ORDER")
    # Each annotation has its own slots: to move one in ELAN then moves no other.
    edges = sorted((ms, id(one), side) for one in captions for side, ms in enumerate(span_ms(one)))
    slots = {edge[1:]: f"ts{number}" for number, edge in enumerate(edges, 1)}
    for (ms, _, _), slot in zip(edges, slots.values(), strict=True):
        _add(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(ms))
    numbers = count(1)
    for name, lane in _named(lanes(captions) or [[]]):
        tier = _add(root, "TIER", LINGUISTIC_TYPE_REF="caption", TIER_ID=name)
        for one in lane:
            aligned = _add(
                _add(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{next(numbers)}",
                TIME_SLOT_REF1=slots[id(one), 0],
                TIME_SLOT_REF2=slots[id(one), 1],
            )
            _add(aligned, "ANNOTATION_VALUE").text = one_line(one.caption)
    _add(
        root,
        "LINGUISTIC_TYPE",
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID="caption",
        TIME_ALIGNABLE="true",
    )
    for name, text in ELAN_CONSTRAINTS.items():
        _add(root, "CONSTRAINT", DESCRIPTION=text, STEREOTYPE=name)
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


@dataclass(frozen=True)
class Annotation:
    """A format: the ``suffix`` of its files, and ``write(captions, duration_s, media)``, which
    gives the text of one; ``media`` is the path of the recording."""

    suffix: str
    write: Callable[[Sequence[Caption], float, str], str]


ANNOTATIONS: dict[str, Annotation] = {
    "textgrid": Annotation(".TextGrid", text_grid),
    "audacity": Annotation(".txt", audacity_labels),
    "eaf": Annotation(".eaf", elan_document),
}


def in_order(captions: Sequence[Caption]) -> list[Caption]:
    """By start; of two that start together, the longer one first."""
    return sorted(captions, key=lambda one: (one.start_s, -one.end_s))


def lanes(captions: Sequence[Caption]) -> list[list[Caption]]:
    """``captions`` in as few lanes as possible, none of which holds two that overlap; each caption
    goes to the first lane with room."""
    found: list[list[Caption]] = []
    for one in in_order(captions):
        begin, _ = span_ms(one)
        free = next((lane for lane in found if span_ms(lane[-1])[1] <= begin), None)
        if free is None:
            found.append(free := [])
        free.append(one)
    return found


def span_ms(caption: Caption) -> tuple[int, int]:
    """Start and end in whole milliseconds, at least one apart."""
    begin = max(0, round(1000 * caption.start_s))
    return begin, max(begin + 1, round(1000 * caption.end_s))


def one_line(text: str) -> str:
    """``text`` on one line, without tabs and control characters."""
    return NOT_XML.sub("\ufffd", printable(" ".join(text.split())))


def _named(found: Sequence[list[Caption]]) -> Iterator[tuple[str, list[Caption]]]:
    for number, lane in enumerate(found, 1):
        yield TIER if number == 1 else f"{TIER} {number}", lane


def _intervals(lane: Sequence[Caption], last: int) -> Iterator[tuple[int, int, str]]:
    """(start, end, text) in milliseconds from 0 to ``last`` without gaps."""
    place = 0
    for one in lane:
        begin, end = span_ms(one)
        if begin > place:
            yield place, begin, ""
        yield begin, end, one_line(one.caption)
        place = end
    if last > place:
        yield place, last, ""


def _add(parent: ElementTree.Element, name: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, name, attributes)


def _media(media: str) -> dict[str, str]:
    path = Path(media)
    kind = mimetypes.guess_type(path.name)[0] or "unknown"
    return {
        "MEDIA_URL": media if is_address(media) else path.absolute().as_uri(),
        "MIME_TYPE": "audio/x-wav" if path.suffix.lower() == ".wav" else kind,  # as ELAN says
        "RELATIVE_MEDIA_URL": f"./{quote(path.name, errors='surrogateescape')}",
    }
