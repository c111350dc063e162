"""BLEU-1 to BLEU-4 (Papineni et al., ACL 2002), with the smoothing of pycocoevalcap's Bleu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auricle.metrics.ngrams import ORDER, Tokens, pair_ngrams
from auricle.metrics.scores import Score

# Added to numerators and denominators against 0 / 0 (pycocoevalcap bleu_scorer.py).
_TINY, _SMALL = 1e-15, 1e-9


@dataclass(frozen=True)
class BleuCounts:
    """The counts behind BLEU, per clip; a corpus sums them over its clips.

    Attributes:
        correct: [..., 4] n-grams of the caption that are in a reference; each counts at most as
            often as in the reference that has it most often.
        guessed: [..., 4] n-grams of the caption.
        length: [...] tokens of the caption.
        reference_length: [...] tokens of the reference closest in length; of two, the shorter.
    """

    correct: np.ndarray
    guessed: np.ndarray
    length: np.ndarray
    reference_length: np.ndarray

    def of(self, clips: np.ndarray) -> BleuCounts:
        """The counts of a corpus of these clips: ``clips`` is [..., clips], with repeats."""
        return BleuCounts(
            self.correct[clips].sum(axis=-2),
            self.guessed[clips].sum(axis=-2),
            self.length[clips].sum(axis=-1),
            self.reference_length[clips].sum(axis=-1),
        )

    def bleu(self) -> np.ndarray:
        """BLEU-1 to BLEU-4, [..., 4]."""
        precisions = (self.correct + _TINY) / (self.guessed + _SMALL)
        means = np.cumprod(precisions, axis=-1) ** (1 / np.arange(1, ORDER + 1))
        ratio = (self.length + _TINY) / (self.reference_length + _SMALL)
        return means * np.exp(np.minimum(0.0, 1 - 1 / ratio))[..., None]


def bleu(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> list[Score]:
    """BLEU-1 to BLEU-4 of N captions and of each, 0 to 1; the corpus is not the mean of the items.

    Args:
        candidates: the tokens of one caption per clip.
        references: the tokens of at least one caption by people per clip.

    Raises:
        ValueError: there are no clips, numbers differ, or a clip has no references.
    """
    counts = bleu_counts(candidates, references)
    each, corpus = counts.bleu(), counts.of(np.arange(len(candidates))).bleu()
    return [
        Score(f"BLEU-{n + 1}", float(corpus[n]), tuple(each[:, n].tolist())) for n in range(ORDER)
    ]


def bleu_counts(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> BleuCounts:
    """The counts of each of N clips: arrays of [N, 4] and [N]; arguments and errors of `bleu`."""
    pairs = pair_ngrams("BLEU", candidates, references)
    ngrams = pairs.ngrams
    most = np.zeros(len(pairs.candidate), dtype=np.int64)
    np.maximum.at(most, pairs.match, ngrams.count[pairs.shared])
    shared = np.minimum(most, ngrams.count[pairs.candidate])
    length = ngrams.lengths[: len(candidates)]
    return BleuCounts(
        correct=ngrams.sums(shared, pairs.candidate)[: len(candidates)],
        guessed=np.maximum(0, length[:, None] - np.arange(ORDER)),
        length=length,
        reference_length=_closest(ngrams.lengths, pairs.clip, len(candidates)),
    )


def _closest(lengths: np.ndarray, clip: np.ndarray, clips: int) -> np.ndarray:
    """[N] the reference length closest to the candidate's; of two, the shorter."""
    length, of = lengths[clips:], clip[clips:]
    order = np.lexsort((length, np.abs(length - lengths[of]), of))
    _, first = np.unique(of[order], return_index=True)
    return length[order][first]
