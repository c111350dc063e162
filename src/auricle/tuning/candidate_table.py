"""The candidates of all clips as one table, in which weights choose captions by looking up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auricle.decoding.options import RerankWeights
from auricle.decoding.terms import TERMS
from auricle.tuning.clips import ClipCandidates
from auricle.tuning.worth import Worth

_DISFLUENT = 1e6  # more than any difference of scores
_AT_ONCE = 64  # settings of weights tried together


@dataclass(frozen=True, eq=False)
class CandidateTable:
    """C clips of at most N candidates and T terms, padded.

    Attributes:
        names: of the T terms, those that any candidate has.
        terms: [C, N, T] float64, 0 where nobody knows.
        handicap: [C, N] what keeps a candidate back: padding, and disfluency.
        worth: [C, N] the metric of each candidate, 0 in padding.
        counts: [C, N] how often each was drawn, 0 in padding.
    """

    names: tuple[str, ...]
    terms: np.ndarray
    handicap: np.ndarray
    worth: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, heard: Sequence[ClipCandidates], worth: Worth) -> CandidateTable:
        names = tuple(
            name
            for name, term in TERMS.items()
            if any(getattr(c, term.field) is not None for clip in heard for c in clip.candidates)
        )
        shape = len(heard), max(len(clip.candidates) for clip in heard)
        terms = np.zeros((*shape, len(names)))
        handicap = np.full(shape, np.inf)
        values, counts = np.zeros(shape), np.zeros(shape)
        for row, (clip, found) in enumerate(zip(heard, worth, strict=True)):
            for slot, candidate in enumerate(clip.candidates):
                terms[row, slot] = [getattr(candidate, TERMS[n].field) or 0.0 for n in names]
                handicap[row, slot] = _DISFLUENT if candidate.fluent is False else 0.0
                counts[row, slot] = candidate.count
            values[row, : len(found)] = found
        return cls(names, terms, handicap, values, counts)

    def __len__(self) -> int:
        return len(self.terms)

    def of_clips(self, rows: np.ndarray) -> CandidateTable:
        """The pool of the clips ``rows``, a mask or indices."""
        parts = (self.terms, self.handicap, self.worth, self.counts)
        return CandidateTable(self.names, *(part[rows] for part in parts))

    def chosen(self, weights: np.ndarray) -> np.ndarray:
        """[C] which candidate the weights [T] choose, as `auricle.decoding.rerank.choose` does."""
        slots: np.ndarray = (self.terms @ weights - self.handicap).argmax(axis=1)
        return slots

    def earned(self, weights: np.ndarray) -> np.ndarray:
        """[C] the metric of the captions that the weights [T] choose."""
        return self.worth[np.arange(len(self)), self.chosen(weights)]

    def mean_earned(self, weights: np.ndarray) -> np.ndarray:
        """[S] the mean metric under each of S settings [S, T] of weights."""
        means = []
        for start in range(0, len(weights), _AT_ONCE):
            some = weights[start : start + _AT_ONCE]
            slots = (self.terms @ some.T - self.handicap[..., None]).argmax(axis=1)  # [C, S]
            means.append(np.take_along_axis(self.worth, slots, axis=1).mean(axis=0))
        return np.concatenate(means)

    def spread(self) -> np.ndarray:
        """[T] how far a term varies among the candidates of a clip: its mean deviation there."""
        real = np.isfinite(self.handicap)[..., None]
        number = real.sum(axis=1)
        means = (self.terms * real).sum(axis=1) / number
        squares = ((self.terms - means[:, None]) ** 2 * real).sum(axis=1) / number
        spread: np.ndarray = np.sqrt(squares).mean(axis=0)
        return spread

    def row(self, weights: Mapping[str, float]) -> np.ndarray:
        """[T] the weights of the terms here."""
        return np.array([weights.get(name, 0.0) for name in self.names])

    def weights(self, row: np.ndarray) -> RerankWeights:
        """What `row` was made of; terms that are not here get 0."""
        none = dict.fromkeys(TERMS, 0.0)
        return RerankWeights(**none | dict(zip(self.names, map(float, row), strict=True)))

    def random(self) -> np.ndarray:
        """[C] the metric to expect of a draw at random."""
        mean: np.ndarray = (self.worth * self.counts).sum(axis=1) / self.counts.sum(axis=1)
        return mean

    def oracle(self) -> np.ndarray:
        """[C] the metric of the best candidate."""
        best: np.ndarray = np.where(np.isfinite(self.handicap), self.worth, -np.inf).max(axis=1)
        return best
