"""Verb forms that a set of captions uses: "barking", "bark", "barks", "barked" belong together."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

BE = frozenset(("is", "are", "being"))
_NOUNS_IN_ING = frozenset(
    "something building ceiling thing string spring king wing evening".split()
)
# A word after one of these is a noun: "a bark", "loud barks".
_BEFORE_NOUNS = frozenset(
    "a an the of some several two three many loud low high soft faint light heavy distant brief "
    "continuous with in by from on at".split()
)
_MIN_COUNT = 3


class VerbForms:
    """Reads verbs off their -ing forms, which captions are full of.

    Args:
        counts: how often the captions use each word.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        known = Counter(counts)
        self._family: dict[str, tuple[str, ...]] = {}
        for word, count in known.items():
            if not word.endswith("ing") or count < _MIN_COUNT or len(word) < 6:
                continue
            base = _base(word, known)
            if base is None or word in _NOUNS_IN_ING:
                continue
            forms = (word, base, *(form for form in _inflected(base) if known[form]))
            for form in forms:
                self._family[form] = forms

    def __contains__(self, word: str) -> bool:
        return word in self._family

    def places(self, words: Sequence[str]) -> list[int]:
        """Places of verbs in ``words``; "is" and "are" count if no participle follows."""
        found = []
        for i, word in enumerate(words):
            before = words[i - 1] if i else ""
            after = words[i + 1] if i + 1 < len(words) else ""
            if word in BE:
                if i and after and not after.endswith(("ing", "ed")):
                    found.append(i)
            elif word in self._family and i and before not in _BEFORE_NOUNS:
                found.append(i)
        return found

    def other_form(self, word: str, rng: random.Random) -> str:
        """ "barks" -> "barking"; a word that is no verb as it is."""
        return rng.choice(self._family.get(word, (word,)))


def _base(participle: str, known: Mapping[str, int]) -> str | None:
    stem = participle.removesuffix("ing")
    options = [stem, stem + "e"]
    if stem[-1] == stem[-2]:
        options.append(stem[:-1])
    used = [o for o in options if known[o] or any(known[form] for form in _inflected(o))]
    return max(used, key=lambda o: known[o] + known[_inflected(o)[0]], default=None)


def _inflected(base: str) -> tuple[str, str]:
    if base.endswith("y") and base[-2:-1] not in "aeiou":
        return base[:-1] + "ies", base[:-1] + "ied"
    if base.endswith(("s", "sh", "ch", "x", "z")):
        return base + "es", base + "ed"
    return base + "s", base + ("d" if base.endswith("e") else "ed")
