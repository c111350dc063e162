"""Events of two captions in an answer: a mix names both captions', and little else.

It may name them in other words: `auricle.mixup.synonyms` knows many, and MiniLM decides where words
leave it open. The limits were chosen on mixes by a language model and on answers to other pairs;
`benchmarks/mixup_filter.py` measures both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from auricle.mixup.synonyms import GROUPS
from auricle.text.stems import stems

if TYPE_CHECKING:
    from torch import Tensor

    from auricle.text.embedder import TextEmbedder

# (share of what only one caption tells that an answer tells too, for either caption; share of the
# answer's content words that the captions know)
SURE, POSSIBLE = (0.25, 0.6), (0.1, 0.4)
NEARER = 0.05  # share of other captions that may be more like an answer than its own

NEITHER = "names neither recording"
ONE = "names only one recording"
OTHERS = "names other sounds"

Meanings = list[frozenset[str]]  # of each content word: its stem, and its groups


class Likeness:
    """Similarity of answers to their captions, beside that to ``others``, which are any captions.

    MiniLM is loaded when the first answer needs it.
    """

    def __init__(self, others: Sequence[str] = ()) -> None:
        self.others = list(others)

    def to_both(self, text: str, captions: tuple[str, str]) -> bool:
        """Whether hardly any other caption is more like ``text`` than each of ``captions``; so if
        there is no other."""
        others = [place for place, other in enumerate(self.others) if other not in captions]
        if not others:
            return True
        said, *own = self._embedder.embed([text, *captions])
        nearer = self._vectors[others] @ said > min(float(said @ caption) for caption in own)
        return float(nearer.float().mean()) <= NEARER

    @cached_property
    def _embedder(self) -> TextEmbedder:
        from auricle.text.embedder import MINILM, TextEmbedder

        return TextEmbedder(MINILM)

    @cached_property
    def _vectors(self) -> Tensor:
        return self._embedder.encode(self.others)  # [N, E]


def mismatch(text: str, captions: tuple[str, str], likeness: Likeness) -> str | None:
    """Why ``text`` is no mix of the events of ``captions``, or None."""
    shares, known = _named(text, captions), _known(text, captions)
    if min(shares) >= SURE[0] and known >= SURE[1]:
        return None
    if min(shares) >= POSSIBLE[0] and known >= POSSIBLE[1] and likeness.to_both(text, captions):
        return None
    return (OTHERS, ONE, NEITHER)[sum(share < SURE[0] for share in shares)]


def unknown(text: str, captions: tuple[str, str]) -> list[str]:
    """The content words of ``text``, as stems, that have nothing to do with the captions."""
    known = _union(_meanings(" ".join(captions)))
    told = zip(stems(text), _meanings(text), strict=True)
    return [" ".join(sorted(stem)) for stem, meaning in told if not meaning & known]


def _named(text: str, captions: tuple[str, str]) -> tuple[float, float]:
    """For each caption, the share of its own meanings that ``text`` has. What both captions tell
    counts for neither, unless one tells nothing else."""
    told = _union(_meanings(text))
    first, second = (_union(_meanings(caption)) for caption in captions)
    return _share(told, first - second or first), _share(told, second - first or second)


def _share(told: frozenset[str], own: frozenset[str]) -> float:
    return len(told & own) / len(own) if own else 1.0


def _known(text: str, captions: tuple[str, str]) -> float:
    """The share of the content words of ``text`` that the captions know."""
    count = len(stems(text))
    return 1 - len(unknown(text, captions)) / count if count else 0.0


def _meanings(text: str) -> Meanings:
    return [stem.union(*(_GROUPS_OF.get(part, ()) for part in stem)) for stem in stems(text)]


def _union(meanings: Meanings) -> frozenset[str]:
    return frozenset().union(*meanings)


def _groups_of() -> dict[str, set[str]]:
    """Stem -> its groups, each under the name of its first two words."""
    found: dict[str, set[str]] = {}
    for group in GROUPS:
        for part in _union(stems(group)):
            found.setdefault(part, set()).add(" ".join(group.split()[:2]))
    return found


_GROUPS_OF = _groups_of()
