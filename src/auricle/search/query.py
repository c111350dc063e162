"""Queries in plain English: what is wanted, and what is not ("rain without thunder")."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from auricle.errors import QueryError
from auricle.text.normalise import words
from auricle.text.stems import content, content_words

LONGEST = 1000  # characters
# From such a word on, the text says what is not wanted, until "but" or the end.
_WITHOUT = re.compile(
    r"(?:^|[\s,;]+)(?:(?:but|and)\s+)?(?:without|excluding|except(?:\s+for)?|minus|not|no)\s+"
    r"(?:any\s+)?",
    re.IGNORECASE,
)
_BUT = re.compile(r"[\s,;]+but\s+(?:with\s+)?", re.IGNORECASE)
_EACH = re.compile(r"\s*[,;]\s*|\s+(?:and|or|nor)\s+", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Query:
    """What a search asks for.

    Attributes:
        text: what is wanted; empty for a search by sound alone.
        unwanted: what is not, one text each.
        words: those of ``text`` that say something, in lower case, and its numbers.
        stems: of these words.
    """

    text: str
    unwanted: tuple[str, ...] = ()
    words: tuple[str, ...] = field(init=False)
    stems: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        found = content_words(self.text) or words(self.text)
        set_of = object.__setattr__
        set_of(self, "words", tuple(dict.fromkeys([*found, *_NUMBER.findall(self.text)])))
        set_of(self, "stems", stems(self.text) or frozenset(self.words))


def parsed(text: str, exclude: Iterable[str] = (), needs_text: bool = True) -> Query:
    """The query that ``text`` is; ``exclude``: more that is not wanted.

    Raises QueryError: it is empty where it ``needs_text``, too long, or says only what is not
    wanted.
    """
    exclude = list(exclude)
    for one in (text, *exclude):
        if len(one) > LONGEST:
            raise QueryError(
                f"a query of {len(one):,} characters; {LONGEST:,} are the most: say it in a"
                " sentence"
            )
    wanted, *others = _WITHOUT.split(" ".join(text.split()))
    unwanted = []
    for other in others:
        what, *more = _BUT.split(other, maxsplit=1)
        wanted = " ".join([wanted, *more])
        unwanted += _EACH.split(what)
    wanted = wanted.strip(" ,;")
    unwanted = [
        one for one in (" ".join(o.split()).strip(" ,;.") for o in unwanted + exclude) if one
    ]
    if needs_text and not wanted:
        if unwanted:
            raise QueryError(
                f"only what is not wanted: {', '.join(unwanted)[:80]}; say also what is"
            )
        raise QueryError('an empty query; say what is heard, such as "metal gate at night"')
    return Query(wanted, tuple(dict.fromkeys(unwanted)))


def stems(text: str) -> frozenset[str]:
    """The stems of the content words of ``text``, and its numbers."""
    return content(text) | frozenset(_NUMBER.findall(text))


def expression(found: Iterable[str], every: bool = True) -> str:
    """Words as an expression of FTS5 that matches ``every`` of them, or one at least."""
    quoted = ('"' + word.replace('"', " ") + '"' for word in found)
    return (" AND " if every else " OR ").join(quoted)
