"""The map of a library: its recordings in two dimensions, and what each is most like."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch

from auricle.errors import DataError
from auricle.files import atomic_writer
from auricle.printable import printable
from auricle.report.map_page import Point, map_page
from auricle.search.store import Index

MOST = 20_000  # recordings on a map; of more, evenly chosen ones
MOST_TSNE = 5_000  # that t-SNE takes about a minute for
BLOCK = 1024  # rows compared at once
PERPLEXITY = 30.0


def write_map(index: Index, path: Path, near: int = 10) -> int:
    """Write the HTML page ``path``: a map of the recordings of ``index``, each with the ``near``
    most like it. The sounds stay where they are. Returns the number of recordings on it.

    Raises:
        DataError: fewer than three recordings can be placed.
        OSError: it cannot be written.
    """
    ids, vectors = index.vectors()
    sounds = [one for one in index.sounds(ids) if not one.segment]
    total = len(sounds)
    sounds = sounds[:: -(-total // MOST) or 1]
    if len(sounds) < 3:
        raise DataError(f"{index.folder}: {total} recordings with a sound; a map needs three")
    rows = np.searchsorted(ids, [one.id for one in sounds])
    chosen = np.asarray(vectors[rows], np.float32)
    places, method = layout(chosen)
    neighbours = nearest_of_each(chosen, near)
    folder = path.resolve().parent
    points = []
    for one, place, alike in zip(sounds, places.tolist(), neighbours.tolist(), strict=True):
        address = quote(os.fsencode(os.path.relpath(one.audio, folder)))
        name, caption = printable(Path(one.audio).name), printable(one.caption)
        kind = one.tags[0] if one.tags else ""
        x, y = (round(value, 4) for value in place)
        points.append(Point(x, y, name, caption, kind, address, tuple(alike)))
    facts = f"{total:,} recordings, placed by {method} of what {printable(index.model)} hears"
    if len(points) < total:
        facts = f"{len(points):,} of {facts}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_writer(path) as file:
        file.write(map_page("Map of the library", facts, points))
    return len(points)


def layout(vectors: np.ndarray) -> tuple[np.ndarray, str]:
    """[N, E] float32 -> places [N, 2] from 0 to 1, the same at every call, and their method: t-SNE
    where scikit-learn is installed and there are not too many, else principal components."""
    places, method = principal(vectors), "principal components"
    if len(vectors) <= MOST_TSNE:
        try:
            from sklearn.manifold import TSNE
        except ImportError:
            pass
        else:
            perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
            begin = 1e-4 * places / max(float(places[:, 0].std()), 1e-12)
            tsne = TSNE(init=begin, perplexity=perplexity, metric="cosine", random_state=0)
            places, method = tsne.fit_transform(vectors), "t-SNE"
    lowest, highest = places.min(axis=0), places.max(axis=0)
    middle, width = (lowest + highest) / 2, max(float((highest - lowest).max()), 1e-12)
    return (places - middle) / width + 0.5, method


def principal(vectors: np.ndarray) -> np.ndarray:
    """The first two principal components of [N, E] float32, with the greatest part positive."""
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    return np.asarray(centred @ axes, np.float32)


def nearest_of_each(vectors: np.ndarray, count: int) -> np.ndarray:
    """[N, E] float32, of length 1 -> int64 [N, at most ``count``]: the others with the greatest
    cosines, nearest first."""
    count = min(count, len(vectors) - 1)
    rows = torch.from_numpy(vectors)
    found = []
    for first in range(0, len(rows), BLOCK):
        cosines = rows[first : first + BLOCK] @ rows.T
        own = torch.arange(len(cosines))
        cosines[own, first + own] = -torch.inf
        found.append(cosines.topk(count, dim=1).indices)
    return torch.cat(found).numpy()
