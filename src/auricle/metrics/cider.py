"""CIDEr-D (Vedantam et al., CVPR 2015) over simple tokens, by pycocoevalcap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auricle.errors import MissingDependencyError
from auricle.text.tokenizer import strip_punctuation

NAME = "CIDEr-D (simple tokens)"


def cider_d(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[float, list[float]]:
    """The score of N captions and that of each, 0 to 10.

    Tokens are simple: lower case, no punctuation, split at spaces. Published values stand on the
    Penn Treebank tokens of a Java program, from which these differ a little (hyphens, "it's").

    Document frequencies are those of the N reference sets, so that values of different sets do not
    compare, and a set of one clip scores 0.

    Args:
        candidates: one caption of each clip.
        references: at least one caption of each clip by people.

    Raises:
        ValueError: no clips, numbers that differ, or a clip without references.
        MissingDependencyError: pycocoevalcap is not installed.
    """
    if not candidates or len(candidates) != len(references) or not all(references):
        raise ValueError(
            f"{len(candidates)} captions against {len(references)} reference sets: CIDEr-D takes "
            "at least one clip, each with one caption and at least one reference"
        )
    said = {i: [_tokens(text)] for i, text in enumerate(candidates)}
    meant = {i: [_tokens(text) for text in texts] for i, texts in enumerate(references)}
    score, each = scorer().compute_score(meant, said)
    return float(score), [float(value) for value in each]


def scorer() -> Any:
    """pycocoevalcap's Cider, which clips counts and weighs lengths (sigma 6): CIDEr-D in spite of
    its name.

    Raises MissingDependencyError: the package is not installed.
    """
    try:
        from pycocoevalcap.cider.cider import Cider
    except ImportError as error:
        raise MissingDependencyError(
            'CIDEr-D needs pycocoevalcap: pip install "auricle[train]"'
        ) from error
    return Cider()


def _tokens(text: str) -> str:
    return strip_punctuation(text.lower())
