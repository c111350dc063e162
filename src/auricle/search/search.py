"""Library: sounds of an index, found by words, by a sound that is like them, or by both.

text ──► embedding ─► nearest vectors ─┐                ┌─ by cosine ──────────┐
     └─► words ─► captions, names ─────┼─► candidates ──┼─ by words in common ─┼─► fused ─► results
like ──► embedding ─► nearest vectors ─┘                └─ by classes heard ───┘
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from auricle.decoding.joint_space import text_vectors
from auricle.errors import DataError
from auricle.fetch.identity import model_digest
from auricle.hub.ensemble import load_text_sides
from auricle.search.candidates import Candidates, Result
from auricle.search.fusion import FUSION, Fusion
from auricle.search.nearest import cosines, nearest, product
from auricle.search.place import default_folder
from auricle.search.query import Query, expression, parsed, stems
from auricle.search.rows import Sound
from auricle.search.store import Index
from auricle.watch import Note, silent

if TYPE_CHECKING:
    from auricle.pipeline import Captioner

NEAREST = 500  # candidates by their embedding
BY_WORDS = 300  # candidates by a word that so few have, or by all words of the query


class Library:
    """The index in ``folder``, ready to be searched; a context manager, for several threads.

    Args:
        folder: of `auricle index`; by default ~/.cache/auricle/index.
        fusion: how the measures are weighed.
        device: where the model hears ``like``; texts are embedded on the CPU.
        on_note: gets a line for the user.

    Raises DataError: no index, damaged, or of a newer version.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        fusion: Fusion = FUSION,
        device: str = "cpu",
        on_note: Note = silent,
    ) -> None:
        self.fusion, self._device = fusion, device
        self.index = Index(Path(folder) if folder is not None else default_folder(), None, on_note)
        self._names: dict[str, np.ndarray] = {}  # vectors of classes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.index.__exit__()

    def search(
        self,
        text: str = "",
        limit: int = 10,
        *,
        like: Any = None,
        exclude: str | Iterable[str] = (),
        min_duration_s: float | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> list[Result]:
        """The recordings that fit best, best first; the same call gives the same results.

        Args:
            text: what is heard, in English; "rain without thunder" says what is not.
            like: a sound that they are like: any source of `Captioner.caption`, or the ``id`` of a
                result, which is then left out.
            exclude: a text, or several, of what is not heard.
            min_duration_s: of the recording, or of the part.
            folder: only what is below it.

        Raises:
            QueryError: nothing is asked for, or too much.
            DataError: there is no sound ``like``; the model of the index is another one now.
            AudioError: ``like`` cannot be read.
            ModelError: the model cannot be loaded.
        """
        if limit < 1:
            raise ValueError(f"limit={limit}: must be 1 or more")
        exclude = [exclude] if isinstance(exclude, str) else exclude
        query = parsed(text, exclude, needs_text=like is None)
        only = None
        if folder is not None or min_duration_s:
            only = self.index.ids_in(folder, min_duration_s)
        found = self.candidates(query, like, only, max(NEAREST, 2 * limit))
        return found.results(self.fusion, limit)

    def candidates(
        self, query: Query, like: Any = None, only: np.ndarray | None = None, count: int = NEAREST
    ) -> Candidates:
        """The ``count`` nearest sounds, and those that share words with the query.

        Args:
            like: as for `search`.
            only: ids of sounds, ascending; None for all.

        Raises DataError, AudioError, ModelError: as `search`.
        """
        ids, vectors = self.index.vectors()
        wanted = self._wanted(query)
        near = None if like is None else self._sound_vector(like, ids, vectors)
        graph = self.index.graph() if only is None else None
        allowed = None if only is None else np.isin(ids, only, assume_unique=True)
        chosen = self._by_words(query, only)
        for one in (wanted, near):
            if one is None:
                continue
            if graph:
                found = graph.nearest(one, count)
            else:
                found = ids[nearest(vectors, one, count, allowed)]
            chosen = np.union1d(chosen, found)
        barred = [bar for one in query.unwanted if (bar := stems(one))]
        sounds = [
            one
            for one in self.index.sounds(chosen)
            if one.id != like and not any(bar <= one.stems for bar in barred)
        ]
        place = _places(ids, sounds)
        likeness = None if near is None else _cosines(vectors, place, near)
        if wanted is None:
            return Candidates(sounds, likeness=likeness)
        common = np.array([len(query.stems & one.stems) for one in sounds], np.float64)
        return Candidates(
            sounds,
            _cosines(vectors, place, wanted),
            likeness,
            common / max(1, len(query.stems)),
            self._class_cosines(query, sounds),
        )

    def _wanted(self, query: Query) -> np.ndarray | None:
        """[E], of length 1: the query's text, less what is not wanted; None without a text."""
        if not query.text:
            return None
        wanted, *unwanted = self._embedded([query.text, *query.unwanted])
        for one in unwanted:
            wanted = wanted - self.fusion.unwanted / len(unwanted) * one
        return np.asarray(wanted / np.linalg.norm(wanted))

    def _sound_vector(self, like: Any, ids: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        if not isinstance(like, int):
            return self._captioner.embed_audio([like])[0].numpy()
        row = int(np.searchsorted(ids, like))
        if row == len(ids) or ids[row] != like:
            raise DataError(f"like={like}: no sound of the index has this id, or it is silent")
        return vectors[row].astype(np.float32)

    def _class_cosines(self, query: Query, sounds: Sequence[Sound]) -> np.ndarray:
        """Cosines of the query's text and the classes heard in each sound, the first counting
        most; -inf where none is."""
        names = list(dict.fromkeys(chain.from_iterable(one.tags for one in sounds)))
        found = np.full(len(sounds), -np.inf)
        if not names:
            return found
        if new := [name for name in names if name not in self._names]:
            self._names.update(zip(new, self._embedded(new), strict=True))
        number = {name: n for n, name in enumerate(names)}
        weights = np.zeros((len(sounds), len(names)), np.float32)
        for n, sound in enumerate(sounds):
            for place, tag in enumerate(sound.tags):
                weights[n, number[tag]] = (1 + place) ** -0.5
        means = product(weights, np.stack([self._names[name] for name in names]))
        lengths = np.linalg.norm(means, axis=1)
        known = lengths > 0
        (text,) = self._embedded([query.text])
        found[known] = product(means, text)[known] / lengths[known]
        return found

    def _embedded(self, texts: Sequence[str]) -> np.ndarray:
        """[N, E] float32, of length 1; in lower case, as captions are."""
        return text_vectors(self._text_sides, [one.lower() for one in texts]).numpy()

    def _by_words(self, query: Query, only: np.ndarray | None) -> np.ndarray:
        """ids, ascending, of the sounds that have all words of the query, or a rare one."""
        if not query.words:
            return np.empty(0, np.int64)
        found = set(self.index.matching(expression(query.words), BY_WORDS))
        for word in query.words:
            some = self.index.matching(expression([word]), BY_WORDS + 1)
            if len(some) <= BY_WORDS:
                found.update(some)
        ids = np.array(sorted(found), np.int64)
        return ids if only is None else np.intersect1d(ids, only, assume_unique=True)

    # The model

    @cached_property
    def _text_sides(self) -> Any:
        self._check_model()
        return load_text_sides(self.index.model)

    @cached_property
    def _captioner(self) -> Captioner:
        from auricle.pipeline import Captioner

        self._check_model()
        return Captioner.from_pretrained(self.index.model, self._device)

    def _check_model(self) -> None:
        model = self.index.model
        if model_digest(model) != self.index.digest:
            raise DataError(
                f"{self.index.folder}: made by {model}, which is another model now; index the"
                " folders again with auricle index --rebuild"
            )


def _places(ids: np.ndarray, sounds: Sequence[Sound]) -> np.ndarray:
    """Rows of the sounds in the matrix; -1 of those without a vector."""
    wanted = np.array([one.id for one in sounds], np.int64)
    if not len(ids):
        return np.full(len(wanted), -1)
    rows = np.searchsorted(ids, wanted).clip(max=len(ids) - 1)
    return np.where(ids[rows] == wanted, rows, -1)


def _cosines(vectors: np.ndarray, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """float64 [n], -inf without a vector."""
    found = np.full(len(rows), -np.inf)
    found[rows >= 0] = cosines(vectors[rows[rows >= 0]], wanted)
    return found
