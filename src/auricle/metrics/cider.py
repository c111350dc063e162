"""CIDEr-D (Vedantam et al., CVPR 2015), with the choices of pycocoevalcap's Cider."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auricle.metrics.ngrams import PairedNGrams, Tokens, pair_ngrams
from auricle.metrics.scores import Score
from auricle.text.normalise import as_written

SIGMA = 6.0  # tokens: how far lengths may differ
NAME = "CIDEr-D"
SIMPLE_NAME = "CIDEr-D (simple tokens)"


def cider_d(
    candidates: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    documents: Sequence[Sequence[Tokens]] | None = None,
) -> Score:
    """The score of N captions and that of each, 0 to 10.

    An n-gram counts the less the more reference sets have it, so that values of different sets do
    not compare, and a set of one clip scores 0.

    Args:
        candidates: the tokens of one caption of each clip.
        references: the tokens of at least one caption of each clip by people.
        documents: the reference sets in which n-grams are looked for; ``references`` by default.
            Where only some clips of a set are scored, or each with several captions, give the
            reference sets of all clips, once each.

    Raises:
        ValueError: no clips, numbers that differ, or a clip without references.
    """
    pairs = pair_ngrams(NAME, candidates, references, documents or ())
    ngrams, clips = pairs.ngrams, len(candidates)
    weights = ngrams.count * _rarity(pairs, clips, len(documents or ()))[ngrams.gram]
    norms = np.sqrt(ngrams.sums(weights * weights))
    said, meant = weights[pairs.said][pairs.same], weights[pairs.meant]
    products = ngrams.sums(np.minimum(said, meant) * meant, pairs.meant)

    first = sum(len(texts) for texts in references)
    meant_captions = np.arange(clips, clips + first)
    of = pairs.clip[meant_captions]
    scale = norms[meant_captions] * norms[of]
    cosines = products[meant_captions] / np.where(scale, scale, 1.0)
    # The reference code measures length in bigrams: no token and one are alike.
    bigrams = np.maximum(0, ngrams.lengths - 1)
    longer = bigrams[meant_captions] - bigrams[of]
    similar = cosines.mean(axis=1) * np.exp(-(longer**2) / (2 * SIGMA**2))
    each = 10 * np.bincount(of, similar) / np.bincount(of)
    return Score(NAME, float(each.mean()), tuple(each.tolist()))


def cider_d_simple(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[float, list[float]]:
    """CIDEr-D of N captions and of each over simple tokens: lower case, no punctuation, split at
    spaces.

    The published tokens (`auricle.metrics.ptb`) differ a little: in hyphens and in "it's".
    Arguments and errors of `cider_d`, with captions as texts.
    """
    score = cider_d(
        [as_written(text).split() for text in candidates],
        [[as_written(text).split() for text in texts] for texts in references],
    )
    return score.corpus, list(score.items)


def _rarity(pairs: PairedNGrams, clips: int, documents: int) -> np.ndarray:
    """The inverse document frequency of each n-gram: log(sets / sets that have it or 1)."""
    ngrams = pairs.ngrams
    owner = pairs.clip[ngrams.caption]
    seen = owner >= clips if documents else ngrams.caption >= clips
    once = np.unique(owner[seen] * ngrams.kinds + ngrams.gram[seen])
    having = np.bincount(once % max(1, ngrams.kinds), minlength=ngrams.kinds)
    return np.log(documents or clips) - np.log(np.maximum(1, having))
