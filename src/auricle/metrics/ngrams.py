"""N-gram counts of captions and their references, for BLEU and CIDEr-D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

Tokens = Sequence[str]

ORDER = 4  # n-grams of one to four tokens


@dataclass(frozen=True)
class NGrams:
    """The distinct n-grams of each of C captions: E entries, int64.

    Attributes:
        caption: [E] the number of the caption.
        gram: [E] the number of the n-gram, from 0 to ``kinds`` - 1.
        order: [E] its number of tokens, minus one.
        count: [E] its count in the caption.
        kinds: number of distinct n-grams in all captions.
        lengths: [C] number of tokens.
    """

    caption: np.ndarray
    gram: np.ndarray
    order: np.ndarray
    count: np.ndarray
    kinds: int
    lengths: np.ndarray

    def sums(self, values: np.ndarray, entries: np.ndarray | slice = slice(None)) -> np.ndarray:
        """[C, 4] sums of the entries' values per caption and order."""
        places = self.caption[entries] * ORDER + self.order[entries]
        found = np.bincount(places, values, minlength=len(self.lengths) * ORDER)
        return found.reshape(-1, ORDER)


def count_ngrams(captions: Sequence[Tokens]) -> NGrams:
    """Counts the n-grams of one to four tokens of C captions."""
    # A token such as "1\xa01/2" is two words here: pycocoevalcap's BLEU and CIDEr split at any
    # white space, its ROUGE-L only at plain spaces.
    split = [" ".join(tokens).split() for tokens in captions]
    lengths = np.array([len(words) for words in split], dtype=np.int64)
    numbers: dict[str, int] = {}
    flat = [numbers.setdefault(word, len(numbers)) for word in chain.from_iterable(split)]
    words = np.array(flat, dtype=np.int64)
    owner = np.repeat(np.arange(len(split)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))  # from here to the end
    shorter, kinds = np.zeros_like(words), 0
    entries = []
    for order in range(ORDER):
        starts = np.flatnonzero(left > order)
        names = shorter[starts] * len(numbers) + words[starts + order]
        distinct, gram = np.unique(names, return_inverse=True)
        shorter[starts] = gram
        pairs, count = np.unique(owner[starts] * len(distinct) + gram, return_counts=True)
        caption, gram = np.divmod(pairs, max(1, len(distinct)))
        entries.append((caption, gram + kinds, np.full_like(gram, order), count))
        kinds += len(distinct)
    caption, gram, orders, count = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    return NGrams(caption, gram, orders, count, kinds, lengths)


@dataclass(frozen=True)
class PairedNGrams:
    """N candidates (caption i is of clip i), then their references, then further documents.

    Attributes:
        ngrams: n-grams of all C captions.
        clip: [C] the clip of each caption; further documents continue from N.
        candidate: [S] the entries of candidates.
        shared: [R] the entries of references whose n-gram is also in their clip's candidate.
        match: [R] the candidate's entry of that n-gram, as an index into ``candidate``.
    """

    ngrams: NGrams
    clip: np.ndarray
    candidate: np.ndarray
    shared: np.ndarray
    match: np.ndarray


def pair_ngrams(
    metric: str,
    candidates: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    documents: Sequence[Sequence[Tokens]] = (),
) -> PairedNGrams:
    """Counts the n-grams of N clips; arguments and errors of `check_pairs`."""
    check_pairs(metric, candidates, references)
    sets = [*references, *documents]
    ngrams = count_ngrams([*candidates, *chain.from_iterable(sets)])
    of = np.repeat(np.arange(len(sets)), [len(texts) for texts in sets])
    clip = np.concatenate([np.arange(len(candidates)), of])
    keys = clip[ngrams.caption] * ngrams.kinds + ngrams.gram
    candidate = np.flatnonzero(ngrams.caption < len(candidates))
    candidate = candidate[np.argsort(keys[candidate])]
    others = np.flatnonzero(ngrams.caption >= len(candidates))
    places = np.searchsorted(keys[candidate], keys[others])
    found = np.append(keys[candidate], -1)[places] == keys[others]
    return PairedNGrams(ngrams, clip, candidate, others[found], places[found])


def check_pairs(
    metric: str, candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
) -> None:
    """Check the arguments of a metric of tokens.

    Raises:
        ValueError: as `check_clips`.
        TypeError: captions are texts, not tokens.
    """
    check_clips(metric, candidates, references)
    if isinstance(candidates[0], str) or isinstance(references[0][0], str):
        raise TypeError(f"{metric} takes tokens: give the captions to ptb.tokenize first")


def check_clips(
    metric: str, candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
) -> None:
    """Check the arguments of any metric.

    Raises:
        ValueError: there are no clips, numbers differ, or a clip has no references.
    """
    if not candidates or len(candidates) != len(references) or not all(references):
        raise ValueError(
            f"{len(candidates)} captions against {len(references)} reference sets: {metric} takes "
            "at least one clip, each with one caption and at least one reference"
        )
