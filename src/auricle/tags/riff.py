"""WAV, RF64 and BW64: the chunks of a file, and the file with other ones.

Nothing but sizes and places is read of a chunk, so a file of any length takes little memory. A file
whose chunks cannot be told apart without doubt is refused: a wrong guess would damage it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from auricle.errors import AudioError
from auricle.tags.pieces import Piece, Span

KINDS = (b"RIFF", b"RF64", b"BW64")
IN_DS64 = 0xFFFFFFFF  # in a field of 32 bits: the size stands in the chunk ds64
MOST_CHUNKS = 10_000
MOST_DS64 = 1 << 20
HEADER = 8
ALMOST = 4096  # programs that write to a pipe declare about the most that a field holds


@dataclass(frozen=True, slots=True)
class Chunk:
    """``span``: the content, without header and pad byte."""

    name: bytes
    span: Span
    padded: bool

    @property
    def whole(self) -> Span:
        return Span(self.span.offset - HEADER, HEADER + self.span.length + self.padded)


@dataclass(frozen=True)
class Wave:
    """``rest``: what stands behind the last chunk, outside the declared size."""

    kind: bytes
    chunks: tuple[Chunk, ...]
    rest: Span

    @property
    def sound(self) -> Span:
        return self.first(b"data").span  # type: ignore[union-attr]

    def first(self, name: bytes) -> Chunk | None:
        return next((chunk for chunk in self.chunks if chunk.name == name), None)


def read_wave(file: BinaryIO, name: str) -> Wave:
    """The chunks of a WAV file.

    Raises AudioError: they cannot be told apart, or the file ``name`` is cut off.
    """
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    kind = head[:4]
    if len(head) < 12 or kind not in KINDS or head[8:] != b"WAVE":
        raise AudioError(f"{name}: not a WAV file; check what wrote it")
    declared, sizes = _declared(file, kind, int.from_bytes(head[4:8], "little"), name)
    end = HEADER + declared
    if declared == 0 or (kind == b"RIFF" and IN_DS64 - declared < ALMOST and end > size):
        raise AudioError(
            f"{name}: its header declares no length, as of a file that was written to a pipe; copy"
            " it with ffmpeg -i IN -c copy OUT.wav and tag the copy"
        )
    if end > size + 1:
        raise AudioError(
            f"{name}: cut off, {size:,} bytes of {end:,}; it is left as it is, fetch it again"
        )
    chunks = _chunks(file, min(end, size), sizes, name)
    for wanted in (b"fmt ", b"data"):
        if sum(chunk.name == wanted for chunk in chunks) != 1:
            raise _wrong(name, f"not one chunk {wanted.decode()!r}")
    rest = Span(min(end, size), max(0, size - end))
    wave = _with_last_pad(Wave(kind, tuple(chunks), rest), file)
    if wave.rest.length and wave.chunks[-1].name == b"data":
        raise _wrong(
            name, f"{wave.rest.length:,} bytes behind the declared sound, perhaps more of it"
        )
    return wave


def rewritten(
    wave: Wave,
    file: BinaryIO,
    changed: Mapping[Chunk, bytes],
    before_data: Sequence[tuple[bytes, bytes]],
    at_end: Sequence[tuple[bytes, bytes]],
    name: str,
) -> list[Piece]:
    """The file as pieces of the old one, with other content in the ``changed`` chunks and with new
    chunks (name, content).

    Raises AudioError: it would have more than 4 GiB, which a file without ds64 cannot.
    """
    body: list[Piece] = []
    for chunk in wave.chunks:
        if chunk.name == b"data":
            body += [_chunk(*new) for new in before_data]
        if chunk in changed:
            body.append(_chunk(chunk.name, changed[chunk]))
        else:
            body.append(chunk.whole)
            if chunk.span.length % 2 and not chunk.padded:
                body.append(b"\0")
    body += [_chunk(*new) for new in at_end]
    size = 4 + sum(piece.length if isinstance(piece, Span) else len(piece) for piece in body)
    file.seek(4)
    old = file.read(4)
    if wave.kind == b"RIFF" or old != struct.pack("<I", IN_DS64):
        if size >= IN_DS64:
            raise AudioError(
                f"{name}: with tags it would be longer than the 4 GiB of a WAV file; convert it to"
                " RF64 first: ffmpeg -i IN -c copy -rf64 always OUT.wav"
            )
        old = struct.pack("<I", size)
    ds64 = wave.first(b"ds64")
    if ds64:
        at = body.index(ds64.whole)
        file.seek(ds64.span.offset + 8)
        rest = file.read(ds64.span.length - 8 + ds64.padded)
        head = b"ds64" + struct.pack("<IQ", ds64.span.length, size)
        body[at] = head + rest
    return [wave.kind + old + b"WAVE", *body, wave.rest]


def _declared(
    file: BinaryIO, kind: bytes, size: int, name: str
) -> tuple[int, dict[bytes, list[int]]]:
    """(size of the file behind its first 8 bytes, sizes of chunks too large for 32 bits)."""
    if kind == b"RIFF":
        return size, {}
    head = file.read(HEADER)
    length = int.from_bytes(head[4:], "little")
    if head[:4] != b"ds64" or not 28 <= length <= MOST_DS64:
        raise _wrong(name, "no chunk 'ds64' at its start")
    content = file.read(length)
    if len(content) < length:
        raise _wrong(name, "a chunk 'ds64' that is cut off")
    whole, data, _, entries = struct.unpack_from("<QQQI", content)
    if 28 + 12 * entries > length:
        raise _wrong(name, "a chunk 'ds64' whose table is cut off")
    sizes: dict[bytes, list[int]] = {b"data": [data]}
    for entry in range(entries):
        chunk, bytes_ = struct.unpack_from("<4sQ", content, 28 + 12 * entry)
        sizes.setdefault(chunk, []).append(bytes_)
    return (whole if size == IN_DS64 else size), sizes


def _chunks(file: BinaryIO, end: int, sizes: Mapping[bytes, list[int]], name: str) -> list[Chunk]:
    chunks: list[Chunk] = []
    place = 12
    while place < end:
        found = _header(file, place, end, sizes)
        if found is None or len(chunks) == MOST_CHUNKS:
            raise _wrong(name, f"no chunk at byte {place:,}")
        span, chunk = found
        padded = False
        if span.length % 2 and span.end < end:
            file.seek(span.end)
            zero = file.read(1) == b"\0"
            with_pad = span.end + 1 == end or _header(file, span.end + 1, end, sizes) is not None
            without = not zero and _header(file, span.end, end, sizes) is not None
            if with_pad == without:
                raise _wrong(name, f"no chunk at byte {span.end + 1:,}")
            padded = with_pad
        chunks.append(Chunk(chunk, span, padded))
        place = chunks[-1].whole.end
    return chunks


def _header(
    file: BinaryIO, place: int, end: int, sizes: Mapping[bytes, list[int]]
) -> tuple[Span, bytes] | None:
    """(content, name) of the chunk whose header stands at ``place``; None if that is none."""
    file.seek(place)
    head = file.read(HEADER)
    name, size = head[:4], int.from_bytes(head[4:], "little")
    if len(head) < HEADER or not all(0x20 <= letter < 0x7F for letter in name):
        return None
    if size == IN_DS64:
        size = next(iter(sizes.get(name, ())), size)
    span = Span(place + HEADER, size)
    return (span, name) if span.end <= end else None


def _with_last_pad(wave: Wave, file: BinaryIO) -> Wave:
    """A zero behind a last chunk of odd length is its pad byte, although the size leaves it out."""
    last = wave.chunks[-1]
    file.seek(wave.rest.offset)
    if wave.rest.length != 1 or last.span.length % 2 == 0 or last.padded or file.read(1) != b"\0":
        return wave
    padded = Chunk(last.name, last.span, True)
    return Wave(wave.kind, (*wave.chunks[:-1], padded), Span(wave.rest.end, 0))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _wrong(name: str, rule: str) -> AudioError:
    return AudioError(
        f"{name}: damaged WAV file ({rule}); it is left as it is, write it again with another"
        " program"
    )
