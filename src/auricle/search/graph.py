"""The graph of an index's vectors (HNSW, by usearch): near ones without a look at all.

It is for so many sounds that comparing each takes too long. It misses few of the nearest; their
cosines are then computed exactly, as without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from auricle.search.sealed import Seal, WrongFileError, read_sealed, write_sealed

LARGE = 400_000  # vectors; fewer are all compared
KIND = b"auricle graph 01"
WIDER = 4  # times the sounds that are asked for are looked at: finds 99.9 % of the nearest
MOST_GONE = 0.2  # of a graph; with more, it is made anew


def can_make_graphs() -> bool:
    """Whether the extra "vectors" is installed."""
    return find_spec("usearch") is not None


class Graph:
    """What `write_graph` has written, of ``count`` vectors."""

    def __init__(self, content: np.ndarray) -> None:
        self._content, self._graph = content, _empty(0)  # the content must stay: it is viewed
        self._graph.view(content.data)

    def nearest(self, wanted: np.ndarray, count: int) -> np.ndarray:
        """ids, int64, ascending, of about the ``count`` nearest; ``wanted``: [E], of length 1."""
        self._graph.expansion_search = WIDER * count
        found = self._graph.search(wanted.astype(np.float16), count, threads=1)
        return np.sort(found.keys.astype(np.int64))


def read_graph(path: Path, mark: bytes, generation: int) -> Graph | None:
    """None if it is of another generation, or not there.

    Raises WrongFileError: the file is damaged, or of another index.
    """
    try:
        found = read_sealed(path, KIND, mark, generation)
    except OSError:
        return None
    return Graph(found[1]) if found else None


def write_graph(
    path: Path, mark: bytes, generation: int, ids: np.ndarray, vectors: np.ndarray
) -> None:
    """Replace the file: what it has stays, what is new comes, what is gone goes.

    Args:
        ids: int64 [N]; an id always has the same vector.
        vectors: float16 [N, E].

    Raises OSError: it cannot be written.
    """
    graph = _before(path, mark, ids)
    if graph is None:
        graph = _empty(vectors.shape[1])
    known = _ids(graph)
    if len(gone := np.setdiff1d(known, ids)):
        graph.remove(gone.astype(np.uint64))
    new = ~np.isin(ids, known, assume_unique=True)
    graph.add(ids[new].astype(np.uint64), np.asarray(vectors[new]))
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        part = Path(folder) / "graph"  # usearch writes files by itself
        graph.save(str(part))
        seal = Seal(KIND, mark, generation, len(ids), vectors.shape[1])
        write_sealed(path, seal, _pieces(part))


def _before(path: Path, mark: bytes, ids: np.ndarray) -> Any:
    """The graph of an earlier generation, if most of it is among ``ids``; else None."""
    try:
        found = read_sealed(path, KIND, mark)
    except (WrongFileError, OSError):
        return None
    assert found
    graph = _empty(0)
    graph.load(found[1].tobytes())
    known = _ids(graph)
    gone = len(known) - np.isin(known, ids, assume_unique=True).sum()
    return None if gone > MOST_GONE * len(known) else graph


def _ids(graph: Any) -> np.ndarray:
    return np.asarray(graph.keys[: len(graph)]).astype(np.int64)


def _empty(dim: int) -> Any:
    from usearch.index import Index

    return Index(ndim=dim, metric="ip", dtype="f16")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(1 << 24):
            yield piece
