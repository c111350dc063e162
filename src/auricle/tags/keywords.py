"""Keywords of a caption: its content words in the forms of a dictionary."""

from __future__ import annotations

from auricle.mixup.words import PARTICIPLES, SINGULAR, THIRD_PERSON
from auricle.text.normalise import words
from auricle.text.stems import content

_IRREGULAR = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "geese": "goose",
    "mice": "mouse",
    "wolves": "wolf",
    "leaves": "leaf",
    "knives": "knife",
    "feet": "foot",
    "spoke": "speak",
    "rang": "ring",
    "sang": "sing",
    "blew": "blow",
}
# Nouns that look like forms of verbs.
_NOUNS = frozenset(
    "thing building engine wind ring string spring king wing species morning evening".split()
)
_DULL = frozenset(
    "each twice again without nothing else anything everything someone somebody close way time"
    " times series same little much many more most all both no not".split()
)  # beside those that no caption of a mix is compared by


def keywords(caption: str) -> list[str]:
    """ "Dogs are barking in the distance" -> ["dog", "bark"]; each once, in their order."""
    found = (_base(word) for word in words(caption) if content(word) and word not in _DULL)
    return list(dict.fromkeys(found))


def _base(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("’s")
    if word in _NOUNS or word in SINGULAR:
        return word
    if base := _IRREGULAR.get(word) or PARTICIPLES.get(word) or THIRD_PERSON.get(word):
        return base
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    for ending in ("ches", "shes", "sses", "xes", "zes"):
        if word.endswith(ending):
            return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word
