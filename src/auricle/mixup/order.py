"""Which of two recordings a mixed caption puts first, where it says so."""

from __future__ import annotations

import re

from auricle.mixup.content import content, distinctive

_JOINT = re.compile(
    r"\b(?:(?P<then>followed by|and then|then|before|after which)|(?P<after>after))\b",
    re.IGNORECASE,
)


def order(text: str, captions: tuple[str, str]) -> tuple[int, int] | None:
    """(0, 1): ``text`` says that the first caption's sounds end before the second's begin; (1, 0):
    the other way round; None: it says neither.

    It must say so of all it takes from them: on either side of "followed by", "then", "before" or
    "after" stands what one caption has of its own, and nothing of the other's.
    """
    own = distinctive(captions)
    for joint in _JOINT.finditer(text):
        before = _only(content(text[: joint.start()]), own)
        after = _only(content(text[joint.end() :]), own)
        if before is not None and after is not None and before != after:
            return (after, before) if joint["after"] else (before, after)
    return None


def _only(found: frozenset[str], own: tuple[frozenset[str], frozenset[str]]) -> int | None:
    """The caption that alone has something of ``found`` for its own."""
    first, second = (bool(found & words) for words in own)
    return None if first == second else int(second)
