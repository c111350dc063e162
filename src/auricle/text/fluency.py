"""Is a caption a whole, fluent sentence? Rules for the plainest failures of a small model."""

from __future__ import annotations

from itertools import pairwise

# A caption that ends in one of these breaks off.
_OPEN_ENDS = frozenset(
    "a an the and or but while as with of to at from for into followed then before after is are "
    "that who which very his her their its".split()
)
_REPEATED = 4  # words: people do say "a man speaks" twice in a caption, hardly anything longer


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
    phrases = [tuple(words[i : i + _REPEATED]) for i in range(len(words) - _REPEATED + 1)]
    return len(set(phrases)) == len(phrases)
