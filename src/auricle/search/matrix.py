"""The matrix of an index's vectors: a file that can always be made again from its database.

    header, 64 bytes │ ids, int64 [N], ascending │ unit vectors, float16 [N, E]

The header tells the index and its generation, N, E, and a checksum of what follows.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from auricle.files import atomic_bytes

HEADER = struct.Struct("<16s16sqqqI4x")
MAGIC = b"auricle vectors1"
TOGETHER = 1 << 24  # bytes that are checked at once


class WrongMatrixError(Exception):
    """A file that is damaged, or the matrix of something else."""


def write_matrix(
    path: Path, mark: bytes, generation: int, dim: int, ids: np.ndarray, rows: Iterable[bytes]
) -> None:
    """Replace the file; ``mark``: 16 bytes of the index; ``rows``: N blobs of E float16.

    Raises OSError: it cannot be written.
    """
    with atomic_bytes(path) as file:
        file.write(bytes(HEADER.size))
        content = ids.astype("<i8").tobytes()
        file.write(content)
        check = zlib.crc32(content)
        for row in rows:
            assert len(row) == 2 * dim
            file.write(row)
            check = zlib.crc32(row, check)
        file.seek(0)
        file.write(HEADER.pack(MAGIC, mark, generation, len(ids), dim, check))


def read_matrix(path: Path, mark: bytes, generation: int) -> tuple[np.ndarray, np.ndarray] | None:
    """(ids, vectors), mapped into the memory; None if they are of an earlier generation.

    Raises:
        WrongMatrixError: the file is damaged, or of another index.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    if size < HEADER.size:
        raise WrongMatrixError
    content = np.memmap(path, np.uint8, "r")
    magic, other, made, number, dim, check = HEADER.unpack(content[: HEADER.size].tobytes())
    ids_end = HEADER.size + 8 * number
    if (magic, other) != (MAGIC, mark) or size != ids_end + 2 * number * dim:
        raise WrongMatrixError
    if made != generation:
        return None
    found = 0
    for first in range(HEADER.size, size, TOGETHER):
        found = zlib.crc32(content[first : first + TOGETHER].data, found)
    if found != check:
        raise WrongMatrixError
    ids = content[HEADER.size : ids_end].view("<i8")
    return ids, content[ids_end:].view("<f2").reshape(number, dim)
