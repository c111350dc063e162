"""WAV files made chunk by chunk, well and badly."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

FORMAT = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
SAMPLES = np.arange(-800, 800, dtype="<i2").tobytes()
IXML = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<BWFXML><!-- by a recorder -->\n'
    b"<PROJECT>Film &amp; more</PROJECT><USER>free text<X>1</X></USER>\n</BWFXML>\0\0"
)
BEXT = b"Interview".ljust(256, b"\0") + b"Zoom".ljust(346, b"\1") + b"A=PCM,F=48000\r\n"
INFO = b"INFOISFT" + struct.pack("<I", 5) + b"Zoom\0\0" + b"ICRD" + struct.pack("<I", 4) + b"2020"

Chunks = Sequence[tuple[bytes, bytes]]


def chunk(name: bytes, content: bytes, pad: bytes = b"\0") -> bytes:
    return name + struct.pack("<I", len(content)) + content + pad[: len(content) % 2]


def wave(chunks: Chunks, kind: bytes = b"RIFF") -> bytes:
    """A file of these chunks; of any kind but RIFF, the chunk ds64 has the sizes."""
    body = b"".join(chunk(*one) for one in chunks)
    if kind == b"RIFF":
        return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body
    data = dict(chunks)[b"data"]
    body = body.replace(chunk(b"data", data)[:8], b"data\xff\xff\xff\xff")
    sizes = struct.pack("<QQQI", 4 + 36 + len(body), len(data), len(data) // 2, 0)
    return kind + b"\xff\xff\xff\xffWAVE" + chunk(b"ds64", sizes) + body


PLAIN = ((b"fmt ", FORMAT), (b"data", SAMPLES))
FULL = (
    (b"JUNK", b"\0" * 28),
    (b"bext", BEXT),
    (b"fmt ", FORMAT),
    (b"cue ", b"\0" * 4),
    (b"data", SAMPLES + b"\1"),
    (b"LIST", b"adtl" + b"\0" * 12),
    (b"LIST", INFO),
    (b"iXML", IXML),
    (b"id3 ", b"ID3\3" + b"\0" * 9),
    (b"smpl", b"\7" * 36),
)


def read_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a well-formed file, read in the plainest way."""
    place, found = 12, []
    while place + 8 <= len(content):
        name, size = content[place : place + 4], struct.unpack_from("<I", content, place + 4)[0]
        if size == 0xFFFFFFFF:
            size = struct.unpack_from("<Q", content, 28)[0]
        found.append((name, content[place + 8 : place + 8 + size]))
        place += 8 + size + size % 2
    return found
