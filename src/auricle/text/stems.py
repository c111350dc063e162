"""Stems of content words, to find what two texts both speak of.

Rules cut the stems ("barking", "barks", "barked" -> "bark"), well enough to compare English words,
not to read them.
"""

from __future__ import annotations

from functools import lru_cache

from auricle.text.normalise import words

_COMMON = frozenset(
    "a an the and or but while as with of to at from for into in on by near off out up down over"
    " followed follow follows following then before after until during along amid amidst is are was"
    " were be being been has have having that which who it its it's his her he she they their them"
    " there this these another other some several multiple various one two three sound sounds"
    " sounding noise noises background foreground distance distant nearby heard hear hears can"
    " audible accompanied together meanwhile simultaneously also very amid over past through across"
    " around under inside outside between against along onto near still start begin continue plus"
    " blend mix fill occur emit make do being just something sometimes".split()
)
LAST_LATIN = "\N{LATIN SMALL LETTER TURNED H WITH FISHHOOK AND TAIL}"
_SUFFIXES = ("ing", "ed", "ly", "es", "s")


def content(text: str) -> frozenset[str]:
    """The stems of the content words of ``text``."""
    return frozenset(stem for found in stems(text) for stem in found)


def stems(text: str) -> list[frozenset[str]]:
    """The stem of each content word of ``text``. In a script without such endings as English has,
    these are all pairs of neighbouring letters of the word."""
    return [_stems(word) for word in content_words(text)]


def content_words(text: str) -> list[str]:
    """The `words` of ``text`` without those that nearly every caption has."""
    return [word for word in words(text) if word not in _COMMON]


@lru_cache(1 << 16)
def _stems(word: str) -> frozenset[str]:
    if word[0] <= LAST_LATIN:
        return frozenset({_stem(word)})
    return frozenset(word[at : at + 2] for at in range(max(1, len(word) - 1)))


def _stem(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("’s")
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) >= len(suffix) + 3:
            word = word.removesuffix(suffix)
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]  # "running", "passes"
    return word.removesuffix("e").replace("y", "i")
