"""Cleaning of a language model's answers: each becomes a caption, or is rejected with a reason.

Wrapping is removed: quotes, "Sure, here is a mix of the two captions:", word counts, remarks after
the caption. Of several sentences, the first is kept if it describes both recordings. Models often
write one sentence per recording; a first sentence about one alone would teach a captioner to leave
out sounds. Joining the sentences would be writing captions, not cleaning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from auricle.data.captions import CaptionLimits, faults
from auricle.llm.completion import LONGEST_ANSWER, without_thoughts
from auricle.mixup.events import NEITHER, ONE, OTHERS, Likeness, mismatch
from auricle.mixup.prompts import MAX_WORDS
from auricle.text.normalise import as_compared

WRAPPINGS = 20  # one in another at most
MIN_WORDS = 4  # "dogs bark, rain falls"

EMPTY = "empty"
REFUSAL = "refusal"
PROMPT = "repeats the prompt"
SENTENCES = "several sentences"
TOO_LONG = "too many words"
TOO_SHORT = "too few words"
COPY = "copy of one caption"
TALK = "talk of the task"
BROKEN = "broken text"
SCRIPT = "another script"
REPETITION = "repetition"
REASONS = (
    EMPTY, REFUSAL, PROMPT, SENTENCES, BROKEN, REPETITION, TALK, SCRIPT, COPY, TOO_SHORT, TOO_LONG,
    NEITHER, ONE, OTHERS,
)  # fmt: skip

_SPACE = re.compile(r"\s+")
_MARKS = re.compile(r"```\w*|`|\*\*|__")
_BULLET = re.compile(r"^(?:[-*•>#]+|\(?\d{1,2}[.):])\s+")
_YES = r"(?:sure|certainly|of course|absolutely|okay|ok|yes|alright|great)"
_LEAD = re.compile(
    rf"^(?:{_YES}[!.,]|here(?:['’]s|s| is| are)\b)[^:\n]{{0,100}}(?::\s*|\n+)"
    r"|^[^:\n]{0,60}\b(?:mix(?:ed|ture|es)?|mashup|captions?|combin\w+|answers?|outputs?|results?"
    r"|responses?|descriptions?|sentences?|generation)\b[^:\n]{0,60}:\s*"
    r"|^(?:(?:mixed )?(?:mix|caption)|answer|output|result)\s+[-–—]\s+"
    rf"|^{_YES}[!.,]\s+",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\s*[(\[]?\s*(?:word count:?\s*\d+|\d+ words)\W*$", re.IGNORECASE)
_AFTER = re.compile(
    r"(?<=[.!?\"”\n])\s*[(\[]?(?:note|explanation|this (?:caption|mix|sentence|version|one)"
    r"|let me know|i (?:hope|tried|have|combined|mixed)|i['’]ve|feel free|hope this|would you"
    r"|do you|is there)\b.*\Z",
    re.DOTALL | re.IGNORECASE,
)
_QUOTES = {'"': '"', "“": "”", "«": "»", "„": "“", "'": "'", "‘": "’", "”": "”"}
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\.\.)(?<!\b(?:Mr|Dr|St|vs)\.)[\"”’')\]]*\s+|\n+")

_REFUSAL = re.compile(
    r"\bi['’]?m (?:sorry|afraid)|\bi am (?:sorry|afraid)|\bi apologi[sz]e|\bas an? (?:ai|artificial"
    r"|language model)\b|\bi (?:cannot|can['’]?t|can not|won['’]?t|am (?:not able|unable)|do not|"
    r"don['’]t)\b|\bi['’]m (?:not able|unable)\b|\b(?:cannot|can['’]t|unable to|not able to) "
    r"(?:generate|create|mix|combine|provide|help|assist|fulfil|produce|comply)",
    re.IGNORECASE,
)
_PROMPT = re.compile(
    r"\bgenerate a mix\b|\bkeep the generation\b|\bfollowing two (?:audio )?captions\b",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"\b(?:audio )?captions?\b|\bword limit\b|\blanguage model\b|\bmix(?:ed)? of the two\b"
    r"|\bunder \d+ words\b",
    re.IGNORECASE,
)
_NO_LIMITS = CaptionLimits(0, 10**6)
NO_LIKENESS = Likeness()
_FAULTS = {"talk of a language model": TALK, "repetition": REPETITION}  # others: BROKEN


@dataclass(frozen=True, slots=True)
class CleanedAnswer:
    """``text``: the caption, or the unwrapped answer; ``reason``: one of `REASONS` for a rejected
    answer, None for a caption."""

    text: str
    reason: str | None = None


def clean(
    answer: str,
    captions: tuple[str, str],
    max_words: int = MAX_WORDS,
    likeness: Likeness = NO_LIKENESS,
) -> CleanedAnswer:
    """The caption in the ``answer`` to a request to mix ``captions``; ``likeness`` decides where
    words leave open what it names."""
    said = without_thoughts(answer)
    if len(said) > LONGEST_ANSWER:
        return CleanedAnswer(f"{said[:LONGEST_ANSWER]}…", TOO_LONG)
    text = unpacked(said)
    if _PROMPT.search(said):
        return CleanedAnswer(text, PROMPT)
    if not text:
        return CleanedAnswer(text, EMPTY)
    if _REFUSAL.search(text) and not any(map(_REFUSAL.search, captions)):
        return CleanedAnswer(text, REFUSAL)
    first, *others = sentences(text)
    wrong = mismatch(first, captions, likeness)
    if others and wrong:
        return CleanedAnswer(" ".join(text.split()), SENTENCES)
    return CleanedAnswer(first, next(_reasons(first, captions, max_words, wrong), None))


def sentences(answer: str) -> list[str]:
    """The sentences of an answer without its wrapping, each on one line."""
    parts = map(_unquoted, _SENTENCE_END.split(unpacked(answer)))
    return [" ".join(part.split()) for part in parts if part]


def unpacked(answer: str) -> str:
    """``answer`` without its wrapping; "" if nothing else is left."""
    text = _MARKS.sub("", without_thoughts(unicodedata.normalize("NFC", answer)))
    text = _SPACE.sub(lambda space: "\n" if "\n" in space[0] else " ", text).strip()
    for _ in range(WRAPPINGS):  # a bullet may precede a lead, and a quote follow it
        before = text
        text = _unquoted(_LEAD.sub("", _BULLET.sub("", text), count=1).strip())
        text = _COUNT.sub("", _AFTER.sub("", text)).strip()
        if text == before:
            break
    return text if any(map(str.isalnum, text)) else ""


def _unquoted(text: str) -> str:
    """``text`` without quotation marks around all of it, even if a full stop follows them."""
    text = text.strip()
    end = text[-1:] if text[-1:] in (".", "!", "?") and len(text) > 1 else ""
    inner = text.removesuffix(end)
    closing = _QUOTES.get(inner[:1])
    if closing is None:
        lone = inner[-1:] in ('"', "”") and not set(inner[:-1]) & {'"', "“"}
        return inner[:-1].strip() + end if lone else text
    if len(inner) > 1 and inner[-1] == closing and closing not in inner[1:-1]:
        return (inner[1:-1] + end).strip()
    if closing == "'" or closing in inner[1:]:
        return text  # an apostrophe, or quotation marks around a part
    return text[1:].strip()  # never closed: the answer is cut off


def _reasons(
    text: str, captions: tuple[str, str], max_words: int, wrong: str | None
) -> Iterator[str]:
    found = text.split()
    inherited = {fault for caption in captions for fault in faults(caption, _NO_LIMITS)}
    for fault in faults(text, _NO_LIMITS):
        if fault in inherited:
            continue
        yield _FAULTS.get(fault, BROKEN)
    if _TALK.search(text) and not any(map(_TALK.search, captions)):
        yield TALK
    if not _scripts(text) <= _scripts(" ".join(captions)):
        yield SCRIPT
    if as_compared(text) in map(as_compared, captions):
        yield COPY
    if len(found) < MIN_WORDS:
        yield TOO_SHORT
    if len(found) > max_words:
        yield TOO_LONG
    if wrong:
        yield wrong


def _scripts(text: str) -> set[str]:
    """ "LATIN", "CYRILLIC", "CJK" …: the scripts of the letters of ``text``."""
    return {unicodedata.name(letter, "?").split()[0] for letter in text if letter.isalpha()}
