"""Forms of a caption: for learning, scoring, judging, comparing and tagging.

They are equal for plain words. They differ in hyphens, apostrophes, digits and commas, because each
form suits its reader: a published tokenizer, or a network that was trained on it.
"""

from __future__ import annotations

import re
from string import punctuation

_NO_PUNCTUATION = str.maketrans("", "", punctuation)
_GLUED = re.compile(r"[-'’]")
_NO_WORD = re.compile(r"[^\w\s]|_")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def is_blank(caption: str) -> bool:
    """Whether it holds nothing but white space: a system that said nothing of a clip."""
    return not caption.strip()


def strip_punctuation(text: str) -> str:
    """A generated caption for scoring (published practice): no punctuation, single spaces.

    "A dog's high-pitched bark." -> "A dogs highpitched bark"
    """
    return " ".join(text.translate(_NO_PUNCTUATION).split())


def as_written(caption: str) -> str:
    """The form for learning captions (published practice), and for scoring them without the Penn
    Treebank tokenizer: `strip_punctuation` in lower case."""
    return strip_punctuation(caption.lower())


def as_judged(caption: str) -> str:
    """The form that our fluency detector was trained on: lower case, no punctuation of any script;
    hyphens and apostrophes join words ("dogs", "highpitched"), other marks separate them."""
    return " ".join(_NO_WORD.sub(" ", _GLUED.sub("", caption.lower())).split())


def words(caption: str) -> list[str]:
    """The whole words of a caption ("dog's", "high-pitched"), in lower case and without numbers,
    for vocabularies and rules about English."""
    return _WORD.findall(caption.lower())


def as_compared(caption: str) -> str:
    """The caption's `words`: equal for captions that differ only in case, spaces or punctuation."""
    return " ".join(words(caption))


def as_tagged(caption: str) -> str:
    """The form that the caption tagger reads: lower case, no spaces and full stops at the ends.
    Commas stay, because they separate events."""
    return caption.lower().strip(" .")
