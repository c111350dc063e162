"""Tags of WAV, RF64 and BW64: bext, LIST INFO and iXML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from auricle.tags import chunks
from auricle.tags.changes import OWN, Change, Field, Slot
from auricle.tags.pieces import Piece, Span, content, inverse
from auricle.tags.riff import Chunk, Wave, read_wave, rewritten

MOST_TEXT = 16 << 20  # bytes of a chunk with text


@dataclass(frozen=True)
class Part:
    """A chunk with text. The names of its slots begin with its ``label``.

    Attributes:
        name, kind: of the chunk, and the first bytes of its content.
        first: a new one stands before the sound, where EBU Tech 3285 has it.
    """

    label: str
    name: bytes
    kind: bytes
    first: bool
    read: Callable[[bytes], dict[str, str]]
    write: Callable[[bytes, Mapping[str, str]], bytes]

    def find(self, wave: Wave, file: BinaryIO) -> Chunk | None:
        for chunk in wave.chunks:
            if chunk.name == self.name:
                file.seek(chunk.span.offset)
                if file.read(min(len(self.kind), chunk.span.length)) == self.kind:
                    return chunk
        return None

    def content(self, wave: Wave, file: BinaryIO) -> bytes:
        """Empty without the chunk. Raises ValueError: it is too large for a text."""
        chunk = self.find(wave, file)
        if chunk is None:
            return b""
        if chunk.span.length > MOST_TEXT:
            raise ValueError(f"has more than {MOST_TEXT >> 20} MB")
        file.seek(chunk.span.offset)
        return file.read(chunk.span.length)


PARTS = (
    Part("bext", b"bext", b"", True, chunks.bext, chunks.with_bext),
    Part("INFO", b"LIST", b"INFO", False, chunks.info, chunks.with_info),
    Part("iXML", b"iXML", b"", False, chunks.ixml, chunks.with_ixml),
)
SLOTS = (
    Slot(f"bext {chunks.DESCRIPTION}", Field.description, chunks.fits_bext),
    Slot(f"INFO {chunks.COMMENT}", Field.comment),
    Slot(f"iXML {chunks.NOTE}", Field.comment),
    *(Slot(f"iXML {chunks.OWN}/{own.upper()}", own) for own in OWN),
)


class WavTags:
    """The tags of the file ``path``.

    Attributes:
        texts: name of a slot -> text.
        slots: those that the file can have.
        notes: which chunk stays as it is, and why.

    Raises AudioError: the file's chunks cannot be told apart.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.texts: dict[str, str] = {}
        self.notes: list[str] = []
        readable = []
        with path.open("rb") as file:
            wave = read_wave(file, str(path))
            for part in PARTS:
                try:
                    texts = part.read(part.content(wave, file))
                except ValueError as error:
                    self.notes.append(f"{path}: its {part.label} {error}, so it stays as it is")
                    continue
                self.texts |= {f"{part.label} {name}": text for name, text in texts.items()}
                readable.append(part.label)
        self.slots = [slot for slot in SLOTS if slot.name.split()[0] in readable]

    def write(self, to: Path, changes: Sequence[Change]) -> list[Piece]:
        """Write the file with ``changes`` to ``to``, and return the old file as pieces of it."""
        edited: dict[Chunk, bytes] = {}
        new: dict[bool, list[tuple[bytes, bytes]]] = {True: [], False: []}
        with self.path.open("rb") as file, to.open("xb") as out:
            wave = read_wave(file, str(self.path))
            for part in PARTS:
                texts = {c.slot.partition(" ")[2]: c.new for c in changes if self._is_in(part, c)}
                if not texts:
                    continue
                written = part.write(part.content(wave, file), texts)
                if chunk := part.find(wave, file):
                    edited[chunk] = written
                else:
                    new[part.first].append((part.name, written))
            pieces = rewritten(wave, file, edited, new[True], new[False], str(self.path))
            for block in content(file, pieces):
                out.write(block)
            return inverse(pieces, file, file.seek(0, 2))

    def sound(self, path: Path) -> Iterator[Span]:
        """The bytes of the sound in ``path``, this file or what was written of it."""
        with path.open("rb") as file:
            yield read_wave(file, str(path)).sound

    @staticmethod
    def _is_in(part: Part, change: Change) -> bool:
        return not change.kept and change.slot.startswith(f"{part.label} ")
