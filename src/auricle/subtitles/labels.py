"""Labels: a caption's words as the text of a cue, "a dog barks." -> "[dog barks]"."""

from __future__ import annotations

import re
import textwrap

from auricle.printable import printable
from auricle.subtitles.guidelines import BRACKETS, Guidelines

_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\w)", re.IGNORECASE)
_NOT_IN_LABELS = re.compile(r"-->|[\[\](){}<>♪♫*\\]")  # brackets, and marks that players obey
# Netflix, General Requirements, 5: break before these, and not after the others
_BEFORE = frozenset(
    "and or but while as with in into on onto of at by near from over under through behind inside"
    " outside during before after followed then for to along around across against".split()
)
_NOT_AFTER = _BEFORE | frozenset(
    "a an the is are was were being be several some two three his her its their very".split()
)
_GOOD, _BAD = 20, 30  # characters of imbalance that a good place is worth, and a bad one costs


def label(text: str, guidelines: Guidelines) -> str | None:
    """The lines of the cue that says ``text``; None if they do not fit."""
    words = _ARTICLE.sub("", _NOT_IN_LABELS.sub(" ", _one_line(text)).strip(" .,;:!?"))
    words = " ".join(words.split())
    if not words:
        return None
    cased = {"lower": str.lower, "upper": str.upper, "sentence": str.capitalize}
    before, after = BRACKETS[guidelines.brackets]
    return wrapped(
        f"{before}{cased[guidelines.case](words)}{after}",
        guidelines.max_line_chars,
        guidelines.max_lines,
    )


def wrapped(text: str, width: int, lines: int) -> str | None:
    """``text`` on one line, or on two at the best place; None if no place fits."""
    if len(text) <= width:
        return text
    places = [at for at, letter in enumerate(text) if letter == " "] if lines > 1 else []
    fitting = [at for at in places if at <= width and len(text) - at - 1 <= width]
    if not fitting:
        return None
    at = min(fitting, key=lambda place: _cost(text[:place], text[place + 1 :]))
    return f"{text[:at]}\n{text[at + 1 :]}"


def as_it_is(text: str, width: int) -> str:
    """A caption as a cue without rules of style: on two lines if they fit, else on more."""
    line = _one_line(text).replace("-->", "->")
    return wrapped(line, width, 2) or textwrap.fill(line, width, break_on_hyphens=False)


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _cost(upper: str, lower: str) -> float:
    """How bad it is to break between the lines, in characters of imbalance."""
    last, first = upper.split()[-1].lower(), lower.split()[0].strip("])").lower()
    cost = float(abs(len(upper) - len(lower)))
    cost -= _GOOD * (first in _BEFORE)
    cost -= _GOOD * (last[-1] in ",;:.")
    cost += _BAD * (last.strip("[(") in _NOT_AFTER)
    cost += _BAD * (" " not in upper or " " not in lower)  # a word alone on its line
    return cost + (len(upper) > len(lower)) / 2  # the lower line is rather the longer one
