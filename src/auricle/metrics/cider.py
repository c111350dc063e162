"""CIDEr-D (Vedantam et al., CVPR 2015), with the choices of pycocoevalcap's Cider."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from auricle.metrics.ngrams import PairedNGrams, Tokens, pair_ngrams
from auricle.metrics.scores import Score
from auricle.text.normalise import as_written

SIGMA = 6.0  # tokens, of the penalty on different lengths
NAME = "CIDEr-D"
SIMPLE_NAME = "CIDEr-D (simple tokens)"


def cider_d(
    candidates: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    documents: Sequence[Sequence[Tokens]] | None = None,
) -> Score:
    """The score of N captions and of each, 0 to 10.

    An n-gram that more reference sets have counts less. So values on different sets cannot be
    compared, and a set of one clip scores 0.

    Args:
        candidates: the tokens of one caption per clip.
        references: the tokens of at least one caption by people per clip.
        documents: the reference sets of the document frequencies; ``references`` by default. To
            score some clips of a set, or several captions per clip, give the reference sets of all
            clips, once each.

    Raises:
        ValueError: there are no clips, numbers differ, or a clip has no references.
    """
    pairs = pair_ngrams(NAME, candidates, references, documents or ())
    ngrams, clips = pairs.ngrams, len(candidates)
    weights = ngrams.count * _rarity(pairs, clips, len(documents or ()))[ngrams.gram]
    norms = np.sqrt(ngrams.sums(weights * weights))
    candidate, reference = weights[pairs.candidate][pairs.match], weights[pairs.shared]
    products = ngrams.sums(np.minimum(candidate, reference) * reference, pairs.shared)

    first = sum(len(texts) for texts in references)
    rows = np.arange(clips, clips + first)
    of = pairs.clip[rows]
    scale = norms[rows] * norms[of]
    cosines = products[rows] / np.where(scale, scale, 1.0)
    # The reference code measures length in bigrams, so no token and one token are equal.
    bigrams = np.maximum(0, ngrams.lengths - 1)
    longer = bigrams[rows] - bigrams[of]
    similar = cosines.mean(axis=1) * np.exp(-(longer**2) / (2 * SIGMA**2))
    each = 10 * np.bincount(of, similar) / np.bincount(of)
    return Score(NAME, float(each.mean()), tuple(each.tolist()))


def cider_d_simple(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[float, list[float]]:
    """CIDEr-D of N captions and of each, on simple tokens: lower case, no punctuation, split at
    spaces.

    The published tokens (`auricle.metrics.ptb`) differ a little, in hyphens and in "it's".
    Arguments and errors are those of `cider_d`, with captions as texts.
    """
    score = cider_d(
        [as_written(text).split() for text in candidates],
        [[as_written(text).split() for text in texts] for texts in references],
    )
    return score.corpus, list(score.items)


def _rarity(pairs: PairedNGrams, clips: int, documents: int) -> np.ndarray:
    """The inverse document frequency of each n-gram: log(sets / max(1, sets that have it))."""
    ngrams = pairs.ngrams
    owner = pairs.clip[ngrams.caption]
    seen = owner >= clips if documents else ngrams.caption >= clips
    once = np.unique(owner[seen] * ngrams.kinds + ngrams.gram[seen])
    having = np.bincount(once % max(1, ngrams.kinds), minlength=ngrams.kinds)
    return np.log(documents or clips) - np.log(np.maximum(1, having))
