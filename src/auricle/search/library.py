"""Library: sounds of an index, found by words, by a sound that is like them, or by both.

text ──► embedding ─► nearest vectors ─┐                ┌─ by cosine ──────────┐
     └─► words ─► captions, names ─────┼─► candidates ──┼─ by words in common ─┼─► fused ─► results
like ──► embedding ─► nearest vectors ─┘                └─ by classes heard ───┘
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from auricle.decoding.joint_space import text_vectors
from auricle.errors import DataError
from auricle.fetch.identity import model_digest
from auricle.hub.ensemble import load_text_sides
from auricle.search.fusion import Fusion, Order, fused
from auricle.search.nearest import cosines, nearest
from auricle.search.query import Query, expression, parsed, stems
from auricle.search.store import Index, Sound, default_folder, name_words
from auricle.watch import Note, silent

if TYPE_CHECKING:
    from auricle.pipeline import Captioner

NEAREST = 500  # candidates by their embedding
BY_WORDS = 300  # candidates by a word that so few have, or by all words of the query
REMEMBERED = 1 << 16  # texts with their stems


@dataclass(frozen=True, slots=True)
class Result:
    """A recording that was found, or its part that fits best.

    Attributes:
        audio: absolute path.
        start_s, end_s: of the part, in seconds.
        score: from 0 to 1, which is the first by every measure.
        confidence: of the caption; None if the model has no calibration.
        id: of the sound in the index, also for ``like``.
        duration_s, content: of the file, and the BLAKE2b of its bytes.
        similarity: cosine with the query's text; None without a text, and of silence.
        likeness: cosine with the sound ``like``; None without one.
        words: the share of the query's words in caption, classes and file name; None without text.
        others: (start_s, end_s) of the recording's other parts among the candidates, best first.
        copies: other files with the same content.
    """

    audio: str
    start_s: float
    end_s: float
    caption: str
    score: float
    confidence: float | None
    tags: tuple[str, ...]
    id: int
    duration_s: float
    content: str
    similarity: float | None = None
    likeness: float | None = None
    words: float | None = None
    others: tuple[tuple[float, float], ...] = ()
    copies: tuple[str, ...] = ()


class Library:
    """The index in ``folder``, ready to be searched; a context manager, for several threads.

    Args:
        folder: of `auricle index`; by default ~/.cache/auricle/index.
        fusion: how the measures are weighed.
        device: where the model hears ``like``; texts are embedded on the CPU.
        on_note: gets a line for the user.

    Raises DataError: no index, damaged, or made by a model that is now another one.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        fusion: Fusion | None = None,
        device: str = "cpu",
        on_note: Note = silent,
    ) -> None:
        self.fusion, self._device = fusion or Fusion(), device
        self.index = Index(Path(folder) if folder is not None else default_folder(), None, on_note)
        self._names: dict[str, np.ndarray] = {}  # of classes

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
        fusion: Fusion | None = None,
    ) -> list[Result]:
        """The recordings that fit best, best first; the same call gives the same results.

        Args:
            text: what is heard, in English; "rain without thunder" says what is not.
            like: a sound that they are like: any source of `Captioner.caption`, or the ``id`` of a
                result, which is then left out.
            exclude: a text, or several, of what is not heard.
            min_duration_s: of the recording, or of the part.
            folder: only what is below it.
            fusion: how the measures are weighed, in place of the library's own.

        Raises:
            QueryError: nothing is asked for, or too much.
            DataError: there is no sound ``like``; or as `Library`.
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
        count = max(NEAREST, 2 * limit)
        found = self._candidates(query, like, only, count, fusion or self.fusion)
        return found.results(limit)

    def _candidates(
        self, query: Query, like: Any, only: np.ndarray | None, count: int, fusion: Fusion
    ) -> Candidates:
        ids, vectors = self.index.vectors()
        wanted = self._wanted(query, fusion.unwanted)
        near = self._sound_vector(like, ids, vectors) if like is not None else None
        allowed = None if only is None else np.isin(ids, only, assume_unique=True)
        rows = [nearest(vectors, v, count, allowed) for v in (wanted, near) if v is not None]
        chosen = np.union1d(
            ids[np.concatenate(rows)], self._by_words(query, only) if fusion.text else []
        )
        barred = [stems(one) for one in query.unwanted]
        sounds, told = [], []
        for one in self.index.sounds(chosen):
            words = _told(one)
            if one.id != like and not any(bar and bar <= words for bar in barred):
                sounds.append(one)
                told.append(words)
        place = _places(ids, sounds)
        similarity = _cosines(vectors, place, wanted)
        likeness = _cosines(vectors, place, near)
        shares = None
        if query.text:
            common = [len(query.stems & words) for words in told]
            shares = np.array(common) / max(1, len(query.stems))
        orders = (
            [*self._orders(fusion, query, sounds, similarity, likeness, shares)] if sounds else []
        )
        return Candidates(sounds, fused(fusion.k, orders), similarity, likeness, shares)

    def _orders(
        self,
        weights: Fusion,
        query: Query,
        sounds: Sequence[Sound],
        similarity: np.ndarray | None,
        likeness: np.ndarray | None,
        shares: np.ndarray | None,
    ) -> Iterable[Order]:
        if likeness is not None and weights.like:
            yield Order(weights.like, likeness)
        if similarity is None or shares is None:
            return
        if weights.embedding:
            yield Order(weights.embedding, similarity)
        if weights.text:
            in_order = np.where(shares > 0, shares, -np.inf)
            yield Order(weights.text, in_order, shares**weights.words)
        if weights.classes:
            yield Order(weights.classes, self._class_cosines(query, sounds))

    # Vectors

    def _wanted(self, query: Query, taken: float) -> np.ndarray | None:
        """[E], of length 1: the query's text, less what is not wanted, of which so much is
        ``taken``; None without a text."""
        if not query.text:
            return None
        wanted, *unwanted = self._embedded([query.text, *query.unwanted])
        for one in unwanted:
            wanted = wanted - taken / len(unwanted) * one
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
        names = dict.fromkeys(chain.from_iterable(one.tags for one in sounds))
        new = [name for name in names if name not in self._names]
        if new:
            embedded = self._embedded([name.lower() for name in new])
            self._names.update(zip(new, embedded, strict=True))
        found = np.full(len(sounds), -np.inf)
        if not names:
            return found
        number = {name: n for n, name in enumerate(names)}
        weights = np.zeros((len(sounds), len(names)), np.float32)
        for n, sound in enumerate(sounds):
            for place, tag in enumerate(sound.tags):
                weights[n, number[tag]] = (1 + place) ** -0.5
        means = weights @ np.stack([self._names[name] for name in names])
        lengths = np.linalg.norm(means, axis=1)
        known = lengths > 0
        (text,) = self._embedded([query.text])
        found[known] = (means[known] @ text) / lengths[known]
        return found

    def _embedded(self, texts: Sequence[str]) -> np.ndarray:
        return text_vectors(self._text_sides, [one.lower() for one in texts]).numpy()

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

    def _by_words(self, query: Query, only: np.ndarray | None) -> np.ndarray:
        """ids of the sounds that have all words of the query, or a rare one."""
        if not query.words:
            return np.empty(0, np.int64)
        found = set(self.index.matching(expression(query.words), BY_WORDS))
        for word in query.words:
            some = self.index.matching(expression([word]), BY_WORDS + 1)
            if len(some) <= BY_WORDS:
                found.update(some)
        ids = np.array(sorted(found), np.int64)
        return ids if only is None else np.intersect1d(ids, only, assume_unique=True)


def _told(sound: Sound) -> frozenset[str]:
    """The stems of all that is told of a sound."""
    name = _name_stems(sound.audio)
    return name.union(_stems(sound.caption), *map(_stems, sound.tags))


@lru_cache(REMEMBERED)
def _name_stems(audio: str) -> frozenset[str]:
    return stems(name_words(audio))


_stems = lru_cache(REMEMBERED)(stems)


def _places(ids: np.ndarray, sounds: Sequence[Sound]) -> np.ndarray:
    """Rows of the sounds in the matrix; -1 of those without a vector."""
    wanted = np.array([one.id for one in sounds], np.int64)
    rows = np.searchsorted(ids, wanted).clip(max=max(0, len(ids) - 1))
    return np.where(ids[rows] == wanted, rows, -1) if len(ids) else np.full(len(sounds), -1)


def _cosines(vectors: np.ndarray, rows: np.ndarray, wanted: np.ndarray | None) -> np.ndarray | None:
    """float64 [n], -inf without a vector; None without a wanted one."""
    if wanted is None:
        return None
    found = np.full(len(rows), -np.inf)
    found[rows >= 0] = cosines(vectors[rows[rows >= 0]], wanted)
    return found


@dataclass(frozen=True)
class Candidates:
    """Sounds in the order of their ids, with the figures that a search compares, [N] each; -inf is
    none, and so is None for all of them."""

    sounds: Sequence[Sound]
    score: np.ndarray
    similarity: np.ndarray | None
    likeness: np.ndarray | None
    words: np.ndarray | None

    def results(self, limit: int) -> list[Result]:
        """The ``limit`` best recordings, each once, also where it has parts and several files."""
        groups: dict[str, list[int]] = {}
        for n in np.argsort(-self.score, kind="stable").tolist():  # ties by id
            if self.score[n] > 0:
                groups.setdefault(self.sounds[n].content, []).append(n)
        return [self._standing(group) for group in islice(groups.values(), limit)]

    def _standing(self, group: Sequence[int]) -> Result:
        """The best part of a recording, or itself where it has none, with the score of the best."""
        parts = [n for n in group if self.sounds[n].segment]
        n = parts[0] if parts else group[0]
        shown = self.sounds[n]
        spans = dict.fromkeys((self.sounds[m].start_s, self.sounds[m].end_s) for m in parts)
        spans.pop((shown.start_s, shown.end_s), None)
        files = dict.fromkeys(
            self.sounds[m].audio for m in group if self.sounds[m].audio != shown.audio
        )
        kept = (
            "audio",
            "start_s",
            "end_s",
            "caption",
            "confidence",
            "tags",
            "id",
            "duration_s",
            "content",
        )
        return Result(
            **{name: getattr(shown, name) for name in kept},
            score=round(float(self.score[group[0]]), 6),
            similarity=_figure(self.similarity, n),
            likeness=_figure(self.likeness, n),
            words=_figure(self.words, n),
            others=tuple(spans),
            copies=tuple(files),
        )


def _figure(values: np.ndarray | None, n: int) -> float | None:
    return None if values is None or values[n] == -np.inf else round(float(values[n]), 4)
