"""The matrix of an index's vectors: ids, int64 [N], ascending, then float16 [N, E], of length 1."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np

from auricle.search.sealed import Seal, WrongFileError, read_sealed, write_sealed

KIND = b"auricle vectors1"


def write_matrix(
    path: Path, mark: bytes, generation: int, dim: int, ids: np.ndarray, rows: Iterable[bytes]
) -> None:
    """Replace the file; ``rows``: N blobs of E float16. Raises OSError: it cannot be written."""
    content = chain([ids.astype("<i8").tobytes()], rows)
    write_sealed(path, Seal(KIND, mark, generation, len(ids), dim), content)


def read_matrix(
    path: Path, mark: bytes, generation: int, dim: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """(ids, vectors), mapped into the memory; None if they are of another generation.

    Raises WrongFileError, OSError: as `read_sealed`.
    """
    found = read_sealed(path, KIND, mark, generation)
    if found is None:
        return None
    seal, content = found
    if seal.dim != dim or len(content) != seal.count * (8 + 2 * dim):
        raise WrongFileError
    ids, rows = content[: 8 * seal.count], content[8 * seal.count :]
    return ids.view("<i8"), rows.view("<f2").reshape(seal.count, dim)
