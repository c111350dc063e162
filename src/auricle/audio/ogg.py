"""Chained Ogg files: one recording after the other, as internet radio is saved; of them, libsndfile
reads the first only.

Pages as in RFC 3533, section 6.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from auricle.audio.source import Stream

HEADER = 27  # bytes of a page before its table of segments
FIRST = 2  # flag of the first page of a logical stream
END = 2**17  # bytes, longer than any page


def links(stream: Stream) -> list[Stream]:
    """The recordings of a chained Ogg file, one after the other; none of any other file."""
    if _read(stream, 0, 4) != b"OggS" or not _is_chained(stream):
        return []
    starts = [0]
    was_first = True
    for place, is_first, _ in _pages(stream):
        if is_first and not was_first:
            starts.append(place)
        was_first = is_first
    stops = [*starts[1:], stream.size]
    pairs = zip(starts, stops, strict=True)
    return [Stream(cast(BinaryIO, _Bytes(stream, *pair)), stream.name) for pair in pairs]


def _is_chained(stream: Stream) -> bool:
    """Whether the last page is of none of the logical streams at the start."""
    end = _read(stream, max(0, stream.size - END), END)
    last = end[end.rfind(b"OggS") :][14:18]
    for _, is_first, serial in _pages(stream):
        if not is_first:
            return len(last) == 4
        if serial == last:
            return False
    return False


def _pages(stream: Stream) -> Iterator[tuple[int, bool, bytes]]:
    """Of each page: its first byte, whether it is the first of a logical stream, and its serial
    number; up to damage."""
    place = 0
    while (header := _read(stream, place, HEADER))[:4] == b"OggS" and len(header) == HEADER:
        yield place, bool(header[5] & FIRST), header[14:18]
        place += HEADER + header[26] + sum(_read(stream, place + HEADER, header[26]))


def _read(stream: Stream, place: int, size: int) -> bytes:
    stream.seek(place)
    return stream.read(size)


class _Bytes:
    """Some of the bytes of a stream, as a file of their own."""

    def __init__(self, stream: Stream, first: int, stop: int) -> None:
        self._stream, self._first, self._size, self._place = stream, first, stop - first, 0

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._place)
        data = _read(
            self._stream, self._first + self._place, min(size, left) if size >= 0 else left
        )
        self._stream.check()
        self._place += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> Any:
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def tell(self) -> int:
        return self._place
