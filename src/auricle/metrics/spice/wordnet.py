"""WordNet's synonyms from METEOR 1.5, which SPICE includes: words -> numbers of synsets."""

from __future__ import annotations

import functools
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from auricle.metrics.java import carried

JAR = ("spice", "lib", "Meteor-1.5.jar")
# WordNet's rules of detachment (wndb and morphy(7WN)): nouns, verbs, adjectives, in this order.
_ENDINGS = (
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
    ("es", "e"),
    ("es", ""),
    ("ed", "e"),
    ("ed", ""),
    ("ing", "e"),
    ("ing", ""),
    ("er", ""),
    ("est", ""),
    ("er", "e"),
    ("est", "e"),
)


class Synonyms:
    """The synsets of words.

    Args:
        jar: METEOR 1.5.
    """

    def __init__(self, jar: Path) -> None:
        with zipfile.ZipFile(jar) as file:
            self._synsets = dict(_pairs(file, "synonym/english.synsets"))
            self._bases: dict[str, list[str]] = defaultdict(list)
            for base, forms in _pairs(file, "synonym/english.exceptions"):
                for form in forms.split():
                    self._bases[form].append(base)
        self._known: dict[str, frozenset[int]] = {}

    def __call__(self, words: str) -> frozenset[int]:
        """The synsets of a word or of several ("rail track"), and of their base forms."""
        if words not in self._known:
            word = words.replace(" ", "_")
            self._known[words] = self._of(word).union(*map(self._of, self._stems(word)))
        return self._known[words]

    def _of(self, word: str) -> frozenset[int]:
        return frozenset(map(int, self._synsets.get(word, "").split()))

    def _stems(self, word: str) -> list[str]:
        if word in self._bases:
            return self._bases[word]
        for ending, other in _ENDINGS:
            if word.endswith(ending):
                stem = word.removesuffix(ending) + other
                if stem in self._synsets:
                    return [stem]
        return []


@functools.cache
def synonyms() -> Synonyms:
    """The synonyms from pycocoevalcap's METEOR; 0.2 s at the first call.

    Raises:
        MissingDependencyError: pycocoevalcap is not installed.
    """
    return Synonyms(carried(*JAR))


def _pairs(file: zipfile.ZipFile, name: str) -> Iterator[tuple[str, str]]:
    """Pairs of lines: a word, and its data in the next line."""
    lines = iter(file.read(name).decode("utf-8").splitlines())
    return zip(lines, lines, strict=False)
