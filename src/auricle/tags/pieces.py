"""A file as pieces: parts of another file, and bytes of its own.

A tagged file and the one before it differ in a few bytes, even if these move gigabytes: the old
file as pieces of the new one is what an undo needs.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

import numpy as np

BLOCK = 1 << 16
READ = 1 << 20
NEAR = 32  # equal bytes between two differences that are not worth a piece


@dataclass(frozen=True, slots=True)
class Span:
    """``length`` bytes of a file from the byte ``offset`` on."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


Piece: TypeAlias = "Span | bytes"


def content(source: BinaryIO, pieces: Iterable[Piece]) -> Iterator[bytes]:
    """The bytes that ``pieces`` of ``source`` make, in blocks.

    Raises EOFError: ``source`` is too short.
    """
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        source.seek(piece.offset)
        left = piece.length
        while left:
            block = source.read(min(left, READ))
            if not block:
                raise EOFError
            left -= len(block)
            yield block


def inverse(pieces: Sequence[Piece], source: BinaryIO, size: int) -> list[Piece]:
    """``source``, of ``size`` bytes, as pieces of what ``pieces`` of it make.

    The spans in ``pieces`` are in order and do not overlap; what they leave out is small.
    """
    back: list[Piece] = []
    read = written = 0
    for piece in pieces:
        if isinstance(piece, bytes):
            written += len(piece)
            continue
        back += [_bytes(source, read, piece.offset), Span(written, piece.length)]
        read, written = piece.end, written + piece.length
    back.append(_bytes(source, read, size))
    return [piece for piece in back if piece != b""]


def difference(old: BinaryIO, new: BinaryIO) -> list[Piece]:
    """``old`` as pieces of ``new``, which has what ``old`` has in its place, or moved by as much as
    it is longer, but for a few bytes."""
    old_size, new_size = old.seek(0, 2), new.seek(0, 2)
    pieces: list[Piece] = []
    for place in range(0, old_size, BLOCK):
        block = _bytes(old, place, min(place + BLOCK, old_size))
        shifts = dict.fromkeys((0, new_size - old_size))
        options = [_compared(block, new, place + s) for s in shifts if 0 <= place + s < new_size]
        best = min(options, key=_literal, default=[block])
        for piece in best:
            _add(pieces, piece)
    return pieces


def pack(pieces: Sequence[Piece]) -> bytes:
    values = [
        base64.b85encode(piece).decode()
        if isinstance(piece, bytes)
        else [piece.offset, piece.length]
        for piece in pieces
    ]
    return zlib.compress(json.dumps(values).encode())


def unpack(packed: bytes) -> list[Piece]:
    """What `pack` packed. Raises ValueError: it is damaged."""
    try:
        values = json.loads(zlib.decompress(packed))
        return [base64.b85decode(v) if isinstance(v, str) else Span(*map(int, v)) for v in values]
    except (zlib.error, TypeError) as error:
        raise ValueError(str(error)) from error


def _compared(block: bytes, new: BinaryIO, place: int) -> list[Piece]:
    """``block`` as pieces of ``new`` where it begins at ``place``."""
    there = _bytes(new, place, place + len(block))
    size = min(len(block), len(there))
    unequal = np.frombuffer(block, np.uint8, size) != np.frombuffer(there, np.uint8, size)
    at = np.flatnonzero(unequal)
    starts = at[np.diff(at, prepend=-NEAR) >= NEAR]
    ends = at[np.diff(at, append=size + NEAR) >= NEAR] + 1
    pieces: list[Piece] = []
    equal = 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        pieces += [Span(place + equal, start - equal), block[start:end]]
        equal = end
    pieces += [Span(place + equal, size - equal), block[size:]]
    return [piece for piece in pieces if (piece if isinstance(piece, bytes) else piece.length)]


def _literal(pieces: Iterable[Piece]) -> int:
    return sum(len(piece) for piece in pieces if isinstance(piece, bytes))


def _add(pieces: list[Piece], piece: Piece) -> None:
    """Append ``piece``, as part of the last one where they are neighbours."""
    last = pieces[-1] if pieces else None
    if isinstance(last, Span) and isinstance(piece, Span) and last.end == piece.offset:
        pieces[-1] = Span(last.offset, last.length + piece.length)
    elif isinstance(last, bytes) and isinstance(piece, bytes) and len(last) < READ:
        pieces[-1] = last + piece
    else:
        pieces.append(piece)


def _bytes(source: BinaryIO, start: int, end: int) -> bytes:
    source.seek(start)
    return source.read(end - start)
