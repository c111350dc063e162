"""The contents of a WAV file's chunks that hold text: bext, LIST INFO and iXML.

Of each there is a function that reads its texts by name, and one that gives the content with other
texts; whatever else is in it stays. An empty content is that of a chunk that is not there. A
ValueError says that a content breaks its format, so the chunk has to stay as it is.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from xml.parsers import expat
from xml.sax.saxutils import escape

from auricle.tags.entry import in_ascii

# bext: fixed fields, then the coding history (EBU Tech 3285)

DESCRIPTION = "Description"
DESCRIPTION_BYTES, VERSION_BYTE, BEXT_BYTES = 256, 346, 602


def bext(content: bytes) -> dict[str, str]:
    if content and len(content) < BEXT_BYTES:
        raise ValueError(f"has {len(content)} bytes of {BEXT_BYTES}")
    text = content[:DESCRIPTION_BYTES].partition(b"\0")[0]
    return {DESCRIPTION: text.decode("utf-8", "replace")}


def fits_bext(text: str) -> str:
    return in_ascii(text, DESCRIPTION_BYTES)


def with_bext(content: bytes, texts: Mapping[str, str]) -> bytes:
    """A new chunk names no originator and no date: auricle did not make the recording."""
    bext(content)
    if not content:
        content = bytes(VERSION_BYTE) + struct.pack("<H", 1)
        content = content.ljust(BEXT_BYTES, b"\0")
    text = texts[DESCRIPTION].encode("ascii").ljust(DESCRIPTION_BYTES, b"\0")
    return text + content[DESCRIPTION_BYTES:]


# LIST INFO: names of 4 letters, each with a text that ends in NUL

COMMENT = "ICMT"


def info(content: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text in _info_items(content):
        found.setdefault(
            name.decode("latin-1"), text.partition(b"\0")[0].decode("utf-8", "replace")
        )
    return found


def with_info(content: bytes, texts: Mapping[str, str]) -> bytes:
    """An empty text takes its item out."""
    items = _info_items(content)
    for name, text in texts.items():
        key = name.encode("latin-1")
        at = next((i for i, item in enumerate(items) if item[0] == key), len(items))
        items[at : at + 1] = [(key, text.encode() + b"\0")] if text else []
    return b"INFO" + b"".join(
        key + struct.pack("<I", len(value)) + value + b"\0" * (len(value) % 2)
        for key, value in items
    )


def _info_items(content: bytes) -> list[tuple[bytes, bytes]]:
    items, place = [], 4
    while place < len(content):
        name, size = content[place : place + 4], content[place + 4 : place + 8]
        end = place + 8 + int.from_bytes(size, "little")
        if len(size) < 4 or end > len(content) or not name.strip(b"\0"):
            if not any(content[place:]):
                break  # padding
            raise ValueError(f"has no item at byte {place:,}")
        items.append((name, content[place + 8 : end]))
        place = end + end % 2
    return items


# iXML: NOTE, and an element of ours below the root, which other programs pass over

OWN, NOTE = "AURICLE", "NOTE"
_PADDING = b"\0 \r\n\t"
_NEW = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<BWFXML>\n<IXML_VERSION>2.0</IXML_VERSION>\n</BWFXML>'
)
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def ixml(content: bytes) -> dict[str, str]:
    """The texts of the elements, by their paths below the root: "NOTE", "AURICLE/MODEL"."""
    return {path: element.text for path, element in _elements(content).items()}


def with_ixml(content: bytes, texts: Mapping[str, str]) -> bytes:
    """An empty text takes its element out."""
    content = content.rstrip(_PADDING) or _NEW
    own = {p: text for p, text in ixml(content).items() if p.startswith(f"{OWN}/")} | dict(texts)
    note = own.pop(NOTE, None)
    if note is not None:
        content = _with_element(content, NOTE, _escaped(note))
    fields = {path.removeprefix(f"{OWN}/"): text for path, text in own.items() if text}
    inner = "".join(f"<{name}>{_escaped(text)}</{name}>" for name, text in fields.items())
    return _with_element(content, OWN, inner)


class _Element:
    """``place``, ``end``: where it begins, and what follows it, in bytes."""

    def __init__(self, place: int) -> None:
        self.place, self.end, self.text = place, place, ""


def _elements(content: bytes) -> dict[str, _Element]:
    """The elements of two levels below the root, by path, the first of each. The root is "", and
    its ``end`` is where its end tag begins."""
    content = content.rstrip(_PADDING)
    if not content:
        return {}
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:4]:
        raise ValueError("is UTF-16")
    found: dict[str, _Element] = {}
    opened: list[tuple[str, _Element]] = []
    parser = expat.ParserCreate()
    parser.buffer_text, parser.buffer_size = True, 1 << 16  # else a call per line

    def start(name: str, _: Mapping[str, str]) -> None:
        above = opened[-1][0] if opened else ""
        path = "" if not opened else f"{above}/{name}" if above else name
        opened.append((path, _Element(parser.CurrentByteIndex)))
        if len(opened) <= 3:
            found.setdefault(*opened[-1])

    def end(_: str) -> None:
        path, element = opened.pop()
        element.end = parser.CurrentByteIndex  # behind <NOTE/>, but at the beginning of </NOTE>
        if path and content.startswith(b"</", element.end):
            element.end = content.index(b">", element.end) + 1

    def text(data: str) -> None:
        opened[-1][1].text += data

    def refuse(*_: object) -> None:
        raise ValueError("declares entities")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(f"is not well-formed XML ({error})") from error
    except LookupError as error:
        raise ValueError(f"has an unknown encoding ({error})") from error
    if not content.startswith(b"</", found[""].end):
        raise ValueError("is an empty element")
    return found


def _with_element(content: bytes, name: str, inner: str) -> bytes:
    elements = _elements(content)
    element = f"<{name}>{inner}</{name}>".encode("ascii", "xmlcharrefreplace") if inner else b""
    if old := elements.get(name):
        return content[: old.place] + element + content[old.end :]
    at = elements[""].end
    return content[:at] + element + b"\n" * bool(element) + content[at:]


def _escaped(text: str) -> str:
    return escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text))
