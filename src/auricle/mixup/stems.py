"""What a caption speaks of: the stems of its words, without those that every caption has.

It tells which of two captions a text was taken from. Stems are cut by rule ("barking", "barks",
"barked" -> "bark"): good enough to compare English words, not to be read.
"""

from __future__ import annotations

from auricle.text.normalise import words

_COMMON = frozenset(
    "a an the and or but while as with of to at from for into in on by near off out up down over"
    " followed follow follows following then before after until during along amid amidst is are was"
    " were be being been has have having that which who it its it's his her he she they their them"
    " there this these another other some several multiple various one two three sound sounds"
    " sounding noise noises background foreground distance distant nearby heard hear hears can"
    " audible accompanied together meanwhile simultaneously also very".split()
)
_SUFFIXES = ("ing", "ed", "ly", "es", "s")


def content(text: str) -> frozenset[str]:
    """The stems of what ``text`` speaks of."""
    return frozenset(_stem(word) for word in words(text) if word not in _COMMON)


def distinctive(captions: tuple[str, str]) -> tuple[frozenset[str], frozenset[str]]:
    """What only the first of two captions speaks of, and what only the second."""
    first, second = map(content, captions)
    return first - second, second - first


def speaks_of_both(text: str, captions: tuple[str, str]) -> bool:
    """Does ``text`` take something from either caption that the other has not?

    Where a caption has nothing of its own, what both have in common will do.
    """
    found = content(text)
    return all(
        found & (own or content(caption))
        for own, caption in zip(distinctive(captions), captions, strict=True)
    )


def _stem(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("’s")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) >= len(suffix) + 3:
            word = word.removesuffix(suffix)
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]  # "running", "passes"
    return word.removesuffix("e").replace("y", "i")
