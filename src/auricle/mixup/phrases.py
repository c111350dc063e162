"""Phrases: captions as clauses with finite verbs, or nominal without them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from auricle.mixup import words as w

_TOKEN = re.compile(r"[\w'’-]+|,")
_SEVERAL = re.compile(r"[.!?;:]\s|[\"“”()\[\]{}*/]")  # several sentences, or marks of other text
_ADVERBS = frozenset("again together away back out loudly hard fast continuously nearby".split())
_UNSURE = frozenset("there it this these those he she they we you i not n't".split())
_RELATIVE = frozenset("that which who whose where because if".split())
_BREAKS = w.COORDINATORS | {",", "followed"}
_FUNCTION = (
    w.AUXILIARIES | w.PREPOSITIONS | w.SUBORDINATORS | w.ARTICLES | _BREAKS | w.QUANTIFIERS
    | _ADVERBS | frozenset("each other their his her its very also both all".split())
)  # fmt: skip


class Unsure(Exception):  # noqa: N818  (no failure: the caption is left alone)
    """A caption whose grammar is unclear to the rules."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A caption's words and commas, the first word without its capital.

    ``verbs``: indices of the finite verbs of its main clauses. With verbs it is a clause ("a dog
    barks"), without them it is nominal ("a dog barking", "loud footsteps").
    """

    tokens: tuple[str, ...]
    verbs: tuple[int, ...] = ()

    @property
    def clause(self) -> bool:
        return bool(self.verbs)

    @property
    def text(self) -> str:
        return " ".join(self.tokens).replace(" ,", ",")

    @property
    def simple(self) -> bool:
        """Whether it is one scene: no subordinate clause, no sequence, no list."""
        return not self.has(*w.SUBORDINATORS, "followed", "then", ",")

    def has(self, *words: str) -> bool:
        return not {token.lower() for token in self.tokens}.isdisjoint(words)


def parse(caption: str) -> Phrase:
    """The phrase of ``caption``.

    Raises Unsure: it has several sentences, or a word with an unclear role.
    """
    text = " ".join(caption.split()).rstrip(" .,!?;:")
    if not text or _SEVERAL.search(text) or text.isupper():
        raise Unsure
    tokens = [*_TOKEN.findall(text)]
    first = tokens[0]
    if not (first.isupper() and len(first) > 1) and first not in w.PROPER:
        tokens[0] = first[0].lower() + first[1:]
    small = [token.lower() for token in tokens]
    if small[0] in w.SUBORDINATORS | w.COORDINATORS or not _UNSURE.isdisjoint(small):
        raise Unsure
    if not _RELATIVE.isdisjoint(small) or small[-1] in _FUNCTION - _ADVERBS - w.PREPOSITIONS:
        raise Unsure
    return Phrase(tuple(tokens), tuple(_Reader(small).verbs()))


def nominal(phrase: Phrase) -> Phrase:
    """``phrase`` without finite verbs: "a dog barks" and "a dog is barking" -> "a dog barking".

    Raises Unsure: a verb has no such form ("the music is loud", "a car starts moving").
    """
    tokens: list[str] = list(phrase.tokens)
    after = next((i for i, t in enumerate(tokens) if t in w.SUBORDINATORS), len(tokens))
    if phrase.verbs and not _BREAKS.isdisjoint(tokens[after:]):
        raise Unsure  # the rest may be main or subordinate
    for place in reversed(phrase.verbs):
        verb, rest = tokens[place], tokens[place + 1 :]
        if verb in w.BE:
            following = next((t for t in rest if not _is_adverb(t)), "")
            if following not in w.PARTICIPLES:
                raise Unsure
            del tokens[place]
        else:
            base = w.THIRD_PERSON.get(verb, verb)
            if base in w.CATENATIVE:
                raise Unsure
            tokens[place] = w.participle(base)
    return replace(phrase, tokens=tuple(tokens), verbs=())


class _Reader:
    """A reader of a caption's words, up to the first subordinate clause."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self._verbs: list[int] = []
        self._start = 0  # start of the part between two of _BREAKS
        self._participial = False  # "a dog barking": a part without a finite verb
        self._nominal_follows = False  # after "followed by"

    def verbs(self) -> list[int]:
        place = 0
        while place < len(self.tokens) and self.tokens[place] not in w.SUBORDINATORS:
            word = self.tokens[place]
            if self.tokens[place : place + 3] == ["as", "well", "as"]:
                raise Unsure
            if word in _BREAKS:
                self._break(place)
            elif self._is_verb(place):
                if self._participial or self._nominal_follows:
                    raise Unsure
                self._verbs.append(place)
            elif self._before(place) and word in w.PARTICIPLES and not self._verbs:
                self._participial |= self._is_noun(place - 1)
            place += 1
        return self._verbs

    def _break(self, place: int) -> None:
        if self.tokens[place] == "followed":
            if self.tokens[place + 1 : place + 2] != ["by"]:
                raise Unsure
            self._nominal_follows = True
            self._start = place + 2
        else:
            self._start = place + 1

    def _before(self, place: int) -> str:
        """The previous word in the same part, without adverbs; "" at its start."""
        place -= 1
        while place > self._start and _is_adverb(self.tokens[place]):
            place -= 1
        return self.tokens[place] if place >= self._start else ""

    def _after(self, place: int) -> str:
        return self.tokens[place + 1] if place + 1 < len(self.tokens) else ""

    def _is_verb(self, place: int) -> bool:
        word, before = self.tokens[place], self._before(place)
        rule: Callable[[int, str], bool]
        if word in w.BE:
            if not before or before in _FUNCTION:
                raise Unsure
            return True
        if word in w.AUXILIARIES:
            raise Unsure
        if word in w.THIRD_PERSON:
            rule = self._third_person
        elif word in w.VERBS or word in w.CATENATIVE:
            rule = self._base
        else:
            self._check_other(place)
            return False
        return rule(place, before)

    def _third_person(self, place: int, before: str) -> bool:
        """ "a man laughs", "and laughs", but "several laughs", "laughs occur"."""
        word, after = self.tokens[place], self._after(place)
        if after == "of" or before in w.QUANTIFIERS:
            return False
        if after in w.BE or after in w.VERBS or (after in w.PARTICIPLES and word in w.PLURAL):
            return False  # the subject of the next verb
        if before in w.SINGULAR:
            mass = before in w.MASSES and before == self.tokens[self._start]
            if mass or self.tokens[self._start] in w.ARTICLES or before in ("someone", "somebody"):
                return True
        elif not before and self._verbs and self._number() == "singular":
            return True
        elif not before and after in ("", "and", "from", "with", "followed") and not self._verbs:
            return False  # "clicks and hisses"
        raise Unsure

    def _base(self, place: int, before: str) -> bool:
        """ "birds sing", "and sing", "a man and a woman sing", but "a loud hum", "to sing"."""
        if self._is_plural(place - 1) or (before and _plural(before)):
            return True
        if not before:
            if self._verbs and self._number() == "plural":
                return True
            return self._unclear_if(bool(self._verbs))
        earlier = self.tokens[: self._start]
        if before in w.SINGULAR and earlier[-1:] == ["and"] and not self._verbs:
            return True
        plural = any(map(_plural, self.tokens[self._start : place - 1]))  # "jets of air hiss"
        noun = before in w.SINGULAR and (before not in w.MASSES or plural)
        return self._unclear_if(noun and not self._verbs)

    def _unclear_if(self, unclear: bool) -> bool:
        if unclear:
            raise Unsure
        return False

    def _check_other(self, place: int) -> None:
        """Raise Unsure if an unknown word may be a verb."""
        word, before = self.tokens[place], self._before(place)
        if word in _FUNCTION or word.endswith("ing") or _is_adverb(word):
            return
        singular = self.tokens[self._start] in ("a", "an") and not self._has_preposition(place)
        if singular and _plural(word) and not self._verbs:
            raise Unsure  # "a clock ticktocks"
        if word.endswith("ed") and (before in w.SINGULAR or before in w.PLURAL):
            raise Unsure  # "a dog barked"
        known = word in w.SINGULAR or word in w.PLURAL
        if before in w.PLURAL and not known:
            raise Unsure  # "people gossip"
        if self._verbs and not before and not known and self.tokens[place - 1] != ",":
            raise Unsure  # "a man talks and sobers"

    def _has_preposition(self, place: int) -> bool:
        return not w.PREPOSITIONS.isdisjoint(self.tokens[self._start : place])

    def _is_noun(self, place: int) -> bool:
        word = self._before(place + 1)
        return word in w.SINGULAR or _plural(word)

    def _is_plural(self, place: int) -> bool:
        """Whether the word is a plural that looks like a verb: "clicks" in "clicks occur"."""
        inside = place >= self._start and place not in self._verbs
        return inside and self.tokens[place] in w.THIRD_PERSON

    def _number(self) -> str:
        """The number of the last verb."""
        verb = self.tokens[self._verbs[-1]]
        return "singular" if verb in w.THIRD_PERSON or verb in ("is", "was") else "plural"


def _plural(word: str) -> bool:
    if word in w.PLURAL:
        return True
    return (
        word.endswith("s")
        and word not in w.THIRD_PERSON
        and word not in w.AUXILIARIES
        and not (word.endswith(("ss", "us", "is", "'s", "’s")))
    )


def _is_adverb(word: str) -> bool:
    return word in _ADVERBS or (word.endswith("ly") and word not in ("fly", "family"))
