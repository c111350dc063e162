"""Which candidate becomes the caption, and in words why each of the others does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from auricle.records import Candidate


def rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Best score first; of equal ones the one found first."""
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


def choose(ranked: Sequence[Candidate]) -> Candidate:
    """The first fluent candidate; the first of all when none is."""
    return next((candidate for candidate in ranked if candidate.fluent), ranked[0])


def explained(ranked: Sequence[Candidate], search: str | None = None) -> list[Candidate]:
    """The candidates, every one but the chosen with the reason why it was not.

    ``search``: the method in whose order they stand; None for best score first.
    """
    best = choose(ranked)
    return [
        replace(candidate, reason=None)
        if candidate is best
        else replace(candidate, reason=candidate.reason or _behind(candidate, best, search))
        for candidate in ranked
    ]


def _behind(candidate: Candidate, best: Candidate, search: str | None) -> str:
    if search:
        return f"later in the order of {search} search"
    gap = best.score - candidate.score
    return f"score {gap:.2g} below" if gap else "same score, found later"
