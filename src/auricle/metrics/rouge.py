"""ROUGE-L (Lin, 2004), with the choices of pycocoevalcap's Rouge."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from auricle.metrics.ngrams import Tokens, check_pairs
from auricle.metrics.scores import Score

BETA = 1.2  # recall weighs 1.44 times as much as precision (pycocoevalcap rouge.py)


def rouge_l(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> Score:
    """The F-measure of the longest common subsequence, 0 to 1, and its mean over N captions.

    The best precision and the best recall may come from different references.

    Args:
        candidates: the tokens of one caption per clip.
        references: the tokens of at least one caption by people per clip.

    Raises:
        ValueError: there are no clips, numbers differ, or a clip has no references.
    """
    check_pairs("ROUGE-L", candidates, references)
    pairs = zip(candidates, references, strict=True)
    each = tuple(_f_measure(*pair) for pair in pairs)
    return Score("ROUGE-L", fmean(each), each)


def _f_measure(candidate: Tokens, references: Sequence[Tokens]) -> float:
    candidate = candidate or ("",)  # in pycocoevalcap, empty captions are equal: one empty token
    common = [(common_subsequence(candidate, t or ("",)), len(t) or 1) for t in references]
    precision = max(length for length, _ in common) / len(candidate)
    recall = max(length / tokens for length, tokens in common)
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def common_subsequence(first: Tokens, second: Tokens) -> int:
    """The length of the longest common subsequence, by bits (Hyyrö, Bit-Parallel LCS-length
    Computation Revisited, 2004): a 0 in ``row`` marks where the length grows along ``first``."""
    places: dict[str, int] = {}
    for i, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << i
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        matches = row & places.get(token, 0)
        row = (row + matches) | (row - matches)
    return len(first) - (row & full).bit_count()
