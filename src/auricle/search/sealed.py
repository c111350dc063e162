"""Sealed files: what can be made again from a database, and is known to be whole and of its moment.

header, 64 bytes: kind │ mark and generation of the database │ count, dim │ checksum │ content
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auricle.files import atomic_bytes

HEADER = struct.Struct("<16s16sqqqI4x")
TOGETHER = 1 << 24  # bytes that are checked at once


class WrongFileError(Exception):
    """A file that is damaged, or of something else."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What a file holds: ``count`` vectors of ``dim`` numbers; ``kind`` and ``mark``: 16 bytes."""

    kind: bytes
    mark: bytes
    generation: int
    count: int
    dim: int


def write_sealed(path: Path, seal: Seal, content: Iterable[bytes]) -> None:
    """Replace the file. Raises OSError: it cannot be written."""
    with atomic_bytes(path) as file:
        file.write(bytes(HEADER.size))
        check = 0
        for part in content:
            file.write(part)
            check = zlib.crc32(part, check)
        file.seek(0)
        values = (seal.kind, seal.mark, seal.generation, seal.count, seal.dim)
        file.write(HEADER.pack(*values, check))


def read_sealed(
    path: Path, kind: bytes, mark: bytes, generation: int | None = None
) -> tuple[Seal, np.ndarray] | None:
    """The seal and the content, uint8 [n], mapped into the memory; None if they are of another
    ``generation``.

    Raises:
        WrongFileError: the file is damaged, or of another index.
        OSError: it cannot be read.
    """
    if path.stat().st_size < HEADER.size:
        raise WrongFileError
    whole = np.memmap(path, np.uint8, "r")
    *values, check = HEADER.unpack(whole[: HEADER.size].tobytes())
    seal, content = Seal(*values), whole[HEADER.size :]
    if (seal.kind, seal.mark) != (kind, mark):
        raise WrongFileError
    if generation is not None and seal.generation != generation:
        return None
    found = 0
    for first in range(0, len(content), TOGETHER):
        found = zlib.crc32(content[first : first + TOGETHER].data, found)
    if found != check:
        raise WrongFileError
    return seal, content
