"""Is a caption a whole, fluent sentence? Rules for the plainest failures of a small model."""

from __future__ import annotations

from itertools import pairwise

# A caption that ends in one of these breaks off.
_OPEN_ENDS = frozenset(
    "a an the and or but while as with of to in on at by from for into over under near followed "
    "then before after is are that who which very his her their its".split()
)


def is_fluent(caption: str) -> bool:
    """False for an empty or broken-off caption, a word said twice running, or a repeated phrase.

    These are rules, not the FENSE error detector; they find its "incomplete sentence" and
    "repeated event" in their plainest form only.
    """
    words = caption.lower().split()
    if len(words) < 2 or words[-1] in _OPEN_ENDS:
        return False
    if any(a == b for a, b in pairwise(words)):
        return False
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return len(set(trigrams)) == len(trigrams)
