"""The order of two captions' sounds in a text that mixes them."""

from __future__ import annotations

import re

from auricle.text.stems import content

_JOINT = re.compile(
    r"\b(?:followed by|and then|then|before|after which|(?P<after>after))\b",
    re.IGNORECASE,
)


def distinctive(captions: tuple[str, str]) -> tuple[frozenset[str], frozenset[str]]:
    """The content of only the first of two captions, and of only the second."""
    first, second = map(content, captions)
    return first - second, second - first


def order(text: str, captions: tuple[str, str]) -> tuple[int, int] | None:
    """(0, 1) if in ``text`` the first caption's sounds end before the second's begin, (1, 0) if the
    second's end first, else None.

    This must hold for all their content: each side of "followed by", "then", "before" or "after"
    has distinctive content of one caption only.
    """
    own = distinctive(captions)
    for joint in _JOINT.finditer(text):
        before = _only(content(text[: joint.start()]), own)
        after = _only(content(text[joint.end() :]), own)
        if before is not None and after is not None and before != after:
            return (after, before) if joint["after"] else (before, after)
    return None


def _only(found: frozenset[str], own: tuple[frozenset[str], frozenset[str]]) -> int | None:
    """The only caption with distinctive content in ``found``, or None."""
    first, second = (bool(found & words) for words in own)
    return None if first == second else int(second)
