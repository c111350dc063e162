"""A library without a model: texts and sounds are vectors of the letters in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from auricle.search.rows import Described, Indexed, Maker
from auricle.search.search import Library
from auricle.search.store import Index
from tests.helpers.sounds import tone

MAKER = Maker("toy", "0123456789abcdef")


def letters(text: str) -> np.ndarray:
    """float32 [26], of length 1."""
    counts = np.array([text.lower().count(chr(97 + n)) for n in range(26)], np.float32) + 1e-3
    return counts / np.linalg.norm(counts)


class ToyLibrary(Library):
    """`Library`, whose embeddings are `letters`; a recording is like the name that it has."""

    def _embedded(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([letters(one) for one in texts])

    def _sound_vector(self, like: Any, ids: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        if isinstance(like, int):
            return super()._sound_vector(like, ids, vectors)
        return letters(like["path"])


def described(caption: str, start_s: float = 0.0, end_s: float = 1.0, **more: Any) -> Described:
    return Described(start_s, end_s, caption, 0.62, vector=letters(caption), **more)


def make_index(
    folder: Path, indexed: Iterable[Path], sounds: Mapping[Path, Sequence[Described]]
) -> None:
    """An index in ``folder`` of these files, whose folders are ``indexed``."""
    with Index(folder, MAKER) as index:
        for path in indexed:
            index.remember(str(path))
        for path, found in sounds.items():
            end_s = max(one.end_s for one in found)
            index.add([(Indexed(str(path), 1, 1, path.name, end_s, "wav"), found)])


def write_sound(path: Path, duration_s: float = 1.0) -> Path:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(duration_s), 16_000)
    return path
