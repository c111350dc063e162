"""The candidates of all clips in one table, where weights choose captions by lookup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auricle.decoding.options import RerankWeights
from auricle.decoding.terms import TERMS
from auricle.tuning.clips import ClipCandidates
from auricle.tuning.worth import Worth

_DISFLUENT = 1e6  # more than any difference of scores
_AT_ONCE = 64  # weight settings that are tried together


@dataclass(frozen=True, eq=False)
class CandidateTable:
    """C clips of at most N candidates and T terms, padded.

    Attributes:
        names: names of the T terms that any candidate has.
        terms: [C, N, T] float64, 0 if missing.
        handicap: [C, N] subtracted from the score, for padding and disfluency.
        worth: [C, N] the metric of each candidate, 0 in padding.
        counts: [C, N] draws of each candidate, 0 in padding.
    """

    names: tuple[str, ...]
    terms: np.ndarray
    handicap: np.ndarray
    worth: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, clips: Sequence[ClipCandidates], worth: Worth) -> CandidateTable:
        names = tuple(
            name
            for name, term in TERMS.items()
            if any(getattr(c, term.field) is not None for clip in clips for c in clip.candidates)
        )
        shape = len(clips), max(len(clip.candidates) for clip in clips)
        terms = np.zeros((*shape, len(names)))
        handicap = np.full(shape, np.inf)
        values, counts = np.zeros(shape), np.zeros(shape)
        for row, (clip, found) in enumerate(zip(clips, worth, strict=True)):
            for slot, candidate in enumerate(clip.candidates):
                terms[row, slot] = [getattr(candidate, TERMS[n].field) or 0.0 for n in names]
                handicap[row, slot] = _DISFLUENT if candidate.fluent is False else 0.0
                counts[row, slot] = candidate.count
            values[row, : len(found)] = found
        return cls(names, terms, handicap, values, counts)

    def __len__(self) -> int:
        return len(self.terms)

    def of_clips(self, rows: np.ndarray) -> CandidateTable:
        """The table of the clips ``rows``, a mask or indices."""
        parts = (self.terms, self.handicap, self.worth, self.counts)
        return CandidateTable(self.names, *(part[rows] for part in parts))

    def chosen(self, weights: np.ndarray) -> np.ndarray:
        """[C] the candidate that the weights [T] choose, as in `auricle.decoding.rerank.choose`."""
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
        """[T] the standard deviation of each term among a clip's candidates, mean over clips."""
        real = np.isfinite(self.handicap)[..., None]
        number = real.sum(axis=1)
        means = (self.terms * real).sum(axis=1) / number
        squares = ((self.terms - means[:, None]) ** 2 * real).sum(axis=1) / number
        spread: np.ndarray = np.sqrt(squares).mean(axis=0)
        return spread

    def row(self, weights: Mapping[str, float]) -> np.ndarray:
        """[T] the weights of the table's terms."""
        return np.array([weights.get(name, 0.0) for name in self.names])

    def weights(self, row: np.ndarray) -> RerankWeights:
        """The inverse of `row`; terms that the table lacks get 0."""
        none = dict.fromkeys(TERMS, 0.0)
        return RerankWeights(**none | dict(zip(self.names, map(float, row), strict=True)))

    def random(self) -> np.ndarray:
        """[C] the expected metric of a random draw."""
        mean: np.ndarray = (self.worth * self.counts).sum(axis=1) / self.counts.sum(axis=1)
        return mean

    def oracle(self) -> np.ndarray:
        """[C] the metric of the best candidate."""
        best: np.ndarray = np.where(np.isfinite(self.handicap), self.worth, -np.inf).max(axis=1)
        return best
