"""Mixing of captions by grammar rules, without a language model.

"A man speaks" and "A dog barks" become "A man speaks, while a dog barks", "A man speaks as a dog
barks in the background" or "A man speaks followed by a dog barking". Pairs with unclear grammar are
left out; there are enough others.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from auricle.audio.mixing import draw
from auricle.mixup import words as w
from auricle.mixup.answers import MixRelation
from auricle.mixup.phrases import Phrase, Unsure, nominal, parse
from auricle.mixup.prompts import MAX_WORDS
from auricle.text.normalise import words as words_of

VERSION = "grammar-1"
ALIKE = 0.6  # captions are too alike if they share this part of the shorter one's words

_HERE = (*w.PLACES, "nearby", "close", "far")
_SMALL = (
    w.ARTICLES | w.PREPOSITIONS | w.COORDINATORS | w.SUBORDINATORS | w.BE | {"some", "followed"}
)
# Only if the first letter decides: not "hour", "one" or "university".
_A, _AN = (
    re.compile(r"\b([Aa]) (?=[aei](?!u))"),
    re.compile(r"\b([Aa])n (?=[bcdfgjklmnpqrstvwyz]\w)"),
)


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixed caption, and the relation of its two sounds in time."""

    text: str
    relation: MixRelation


class NotMixed(Exception):  # noqa: N818  (no failure: another pair is taken)
    """A pair that is not mixed, and the reason in a few words."""


def mix_captions(captions: tuple[str, str], *seed: int | str) -> Mixture:
    """Both captions in one of fewer than 25 words, in a form that ``seed`` draws.

    Raises NotMixed: the grammar of a caption is unclear, the captions are too alike, or the mix is
    too long.
    """
    try:
        first, second = map(parse, captions)
    except Unsure:
        raise NotMixed("grammar not understood") from None
    second = _told_apart(first, second)
    mixtures = list(_mixtures(first, second))
    if not mixtures:
        raise NotMixed("grammar not understood")
    fitting = [mixture for mixture in mixtures if len(mixture.text.split()) < MAX_WORDS]
    if not fitting:
        raise NotMixed(f"{MAX_WORDS} words or more")
    chosen = _drawn(fitting, *seed)
    text = _AN.sub(r"\1 ", _A.sub(r"\1n ", chosen.text))
    end = "." if any(caption.rstrip().endswith(".") for caption in captions) else ""
    return replace(chosen, text=text[0].upper() + text[1:] + end)


def _drawn(mixtures: list[Mixture], *seed: int | str) -> Mixture:
    """One of ``mixtures``; if both relations occur, they are drawn equally often."""
    relations = sorted({mixture.relation for mixture in mixtures})
    wanted = relations[int(draw(*seed, "relation")[1] * len(relations))]
    fitting = [mixture for mixture in mixtures if mixture.relation == wanted]
    return fitting[int(draw(*seed, "form")[1] * len(fitting))]


def _mixtures(first: Phrase, second: Phrase) -> Iterator[Mixture]:
    """All forms that are grammatically correct, in any order."""
    a, b = first.text, second.text
    one_scene = second.simple and not second.has(*_HERE)
    if second.clause and not first.has("while", "as") and not second.has("while", "as"):
        yield Mixture(f"{a}, while {b}" if first.clause else f"{a} while {b}", "together")
        if one_scene and len(second.verbs) == 1:
            yield Mixture(f"{a} as {b} in the background", "together")
    if first.clause and not second.clause and second.simple and not first.has("while", "as"):
        yield Mixture(f"{a}, while {b} can be heard", "together")
    if not second.clause and one_scene and not first.has("with", "followed", "then", *_HERE):
        yield Mixture(f"{a} with {b} in the background", "together")
    if not first.has("followed") and not second.has("followed"):
        with contextlib.suppress(Unsure):
            comma = "" if first.simple else ","
            yield Mixture(f"{a}{comma} followed by {nominal(second).text}", "followed by")


def _told_apart(first: Phrase, second: Phrase) -> Phrase:
    """``second`` with "another man" for "a man" if the first also has "a man".

    Raises NotMixed: the captions are too alike.
    """
    content = [_content(phrase) for phrase in (first, second)]
    common = content[0] & content[1]
    if len(common) >= ALIKE * min(map(len, content)):
        raise NotMixed("captions too alike")
    tokens = list(second.tokens)
    head = next((t for t in tokens if t in w.SINGULAR or t in w.PLURAL), "")
    if head in common:
        if tokens[0] in ("a", "an", "one") and head in w.SINGULAR:
            tokens[0] = "another"
        elif tokens[0] == head and head in w.PLURAL:
            return Phrase(("other", *tokens), tuple(place + 1 for place in second.verbs))
        else:
            raise NotMixed("captions too alike")
    return replace(second, tokens=tuple(tokens))


def _content(phrase: Phrase) -> set[str]:
    """The content words, verbs in their base form."""
    found = set(words_of(phrase.text)) - _SMALL
    return {w.PARTICIPLES.get(word) or w.THIRD_PERSON.get(word, word) for word in found}
