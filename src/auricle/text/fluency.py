"""Is a caption a whole, fluent sentence? Rules for the plainest failures of a small model."""

from __future__ import annotations

from itertools import pairwise

# A caption that ends in one of these breaks off.
_OPEN_ENDS = frozenset(
    "a an the and or but while as with of to at from for into followed then before after is are "
    "that who which very his her their its".split()
)
_JOINTS = frozenset(("and", "as", "while", "then"))
_DOUBLED = frozenset("over again louder faster closer more on off up".split())  # "over and over"
_REPEATED = 4  # words: people do say "a man speaks" twice in a caption, hardly anything longer


def is_fluent(caption: str) -> bool:
    """False for an empty or broken-off caption, a word said twice running, or a repeated event.

    These are rules, not the FENSE error detector; they find its "incomplete sentence" and
    "repeated event" in their plainest form only.
    """
    words = caption.lower().split()
    if len(words) < 2 or words[-1] in _OPEN_ENDS:
        return False
    if any(a == b for a, b in pairwise(words)):
        return False
    if any(_same_on_both_sides(words, i) for i, word in enumerate(words) if word in _JOINTS):
        return False
    phrases = [tuple(words[i : i + _REPEATED]) for i in range(len(words) - _REPEATED + 1)]
    return len(set(phrases)) == len(phrases)


def _same_on_both_sides(words: list[str], joint: int) -> bool:
    """ "birds chirp and birds chirp", "a baby cries and cries"; but not "over and over"."""
    for length in range(1, joint + 1):
        before, after = words[joint - length : joint], words[joint + 1 : joint + 1 + length]
        if before == after and before[0] not in _DOUBLED:
            return True
    return False
