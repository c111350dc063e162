"""Faults of captions, as machines make them: markup, addresses, noise, repetition.

Captions by people pass the rules: of 49,838 in AudioCaps' training split, 7 fail, five of them
rightly.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from auricle.text.normalise import words

_MARKUP = re.compile(
    r"<[/!]?[a-z][^>]*>|&#?\w+;|\*\*|```|[{}\[\]|\\]|^\s*(#|[-*]\s)", re.IGNORECASE
)
_ADDRESS = re.compile(r"https?:|www\.|\S@\S+\.\w|\w\.(wav|mp3|flac|ogg|m4a|mp4)\b", re.IGNORECASE)
_MOJIBAKE = re.compile("\N{REPLACEMENT CHARACTER}|Ã[\x80-\xbf©¨±¼]|â€|Â[\x80-\xbf]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ASSISTANT = re.compile(
    r"as an? (ai|language model|assistant)\b|language model|\bi('m| am) (sorry|unable)|"
    r"\bi (cannot|can't|can not)\b|^(sure|certainly|of course)[,!]|\bhere('s| is| are) (a|the|your)"
    r" (\w+ )?(caption|description|mix)|\b(caption|output|answer|description)s?( \d)?:|"
    r"\bthe (two )?(audio )?captions?\b",
    re.IGNORECASE,
)
# People write "beep beep beep" and "over and over and then": four times, and no final "and".
_STUTTER = re.compile(r"\b(\S+)(?: \1){3}\b|\b(\S+(?: \S+){0,8} (?!and\b)\S+) \2\b")
PHRASE_WORDS, PHRASE_TIMES = 4, 3  # people write "followed by a man" twice, hardly three times
_LETTERS = 0.5  # share of the characters that are not spaces; "dog :) !!! 12%" has less


@dataclass(frozen=True)
class CaptionLimits:
    """Limits on the words of a caption. AudioCaps' longest has 52, Clotho's 20."""

    min_words: int = 2
    max_words: int = 60


def faults(caption: str, limits: CaptionLimits | None = None) -> Iterator[str]:
    """The faults of ``caption``, a few words each; most captions have none."""
    limits = limits or CaptionLimits()
    if not caption.strip():
        yield "empty"
        return
    found = words(caption)
    solid = "".join(caption.split())
    if _CONTROL.search(caption) or _MOJIBAKE.search(caption):
        yield "broken characters"
    if _MARKUP.search(caption):
        yield "markup"
    if _ADDRESS.search(caption):
        yield "address or file name"
    if _ASSISTANT.search(caption):
        yield "talk of a language model"
    if sum(map(str.isalpha, solid)) < _LETTERS * len(solid):
        yield "hardly any letters"
    elif len(found) < limits.min_words and solid.isascii():  # not every script separates words
        yield f"fewer than {limits.min_words} words"
    if len(found) > limits.max_words:
        yield f"more than {limits.max_words} words"
    if _repeats(found):
        yield "repetition"


def _repeats(found: list[str]) -> bool:
    """Whether a word occurs four times in a row, a phrase twice in a row, or one of four words
    three times anywhere."""
    text = " ".join(found)
    if _STUTTER.search(text):
        return True
    starts = range(len(found) - PHRASE_WORDS + 1)
    phrases = Counter(tuple(found[i : i + PHRASE_WORDS]) for i in starts)
    return max(phrases.values(), default=0) >= PHRASE_TIMES
