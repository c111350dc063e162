"""Candidates of a search: the figures that are compared, and the results that they become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from auricle.search.fusion import Fusion, Order, fused
from auricle.search.rows import Sound

SHARED = (
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


@dataclass(frozen=True)
class Candidates:
    """N sounds in the order of their ids, with the figures that a search compares, float64 [N]; a
    sound that lacks one has -inf. None: the search has no text, or no sound ``like``.

    Attributes:
        similarity, likeness, words: as of `Result`.
        classes: cosine of the query's text and the names of the classes heard.
    """

    sounds: Sequence[Sound]
    similarity: np.ndarray | None = None
    likeness: np.ndarray | None = None
    words: np.ndarray | None = None
    classes: np.ndarray | None = None

    def results(self, fusion: Fusion, limit: int) -> list[Result]:
        """The ``limit`` best recordings, each once, also where it has parts and several files."""
        orders = [one for one in self._orders(fusion) if one.weight]
        score = fused(fusion.k, orders) if orders else np.zeros(len(self.sounds))
        groups: dict[str, list[int]] = {}
        for n in np.argsort(-score, kind="stable").tolist():  # ties by id
            if score[n] > 0:
                groups.setdefault(self.sounds[n].content, []).append(n)
        return [self._standing(group, score) for group in islice(groups.values(), limit)]

    def _orders(self, weights: Fusion) -> Iterator[Order]:
        if self.likeness is not None:
            yield Order(weights.like, self.likeness)
        if self.similarity is not None:
            yield Order(weights.embedding, self.similarity)
        if self.words is not None:
            some = np.where(self.words > 0, self.words, -np.inf)
            yield Order(weights.text, some, self.words**weights.words)
        if self.classes is not None:
            yield Order(weights.classes, self.classes)

    def _standing(self, group: Sequence[int], score: np.ndarray) -> Result:
        """The best part of a recording, or itself where it has none, with the score of the best."""
        parts = [n for n in group if self.sounds[n].segment]
        n = parts[0] if parts else group[0]
        shown = self.sounds[n]
        spans = dict.fromkeys((self.sounds[m].start_s, self.sounds[m].end_s) for m in parts)
        spans.pop((shown.start_s, shown.end_s), None)
        files = dict.fromkeys(self.sounds[m].audio for m in group)
        files.pop(shown.audio)
        return Result(
            **{name: getattr(shown, name) for name in SHARED},
            score=round(float(score[group[0]]), 6),
            similarity=_figure(self.similarity, n),
            likeness=_figure(self.likeness, n),
            words=_figure(self.words, n),
            others=tuple(spans),
            copies=tuple(files),
        )


def _figure(values: np.ndarray | None, n: int) -> float | None:
    return None if values is None or values[n] == -np.inf else round(float(values[n]), 4)
