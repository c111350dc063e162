"""Forms of a caption: as it is learned, scored, judged, compared and tagged.

They agree on plain words. Hyphens, apostrophes, digits and commas part them, and each form is fixed
by what reads it: a published tokenizer, or a network that was trained on it.
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
    """A generated caption as it is scored (published practice): no punctuation, single spaces.

    "A dog's high-pitched bark." -> "A dogs highpitched bark"
    """
    return " ".join(text.translate(_NO_PUNCTUATION).split())


def as_written(caption: str) -> str:
    """The form in which the captioner learns captions (published practice), and in which they are
    scored without the Penn Treebank tokenizer: `strip_punctuation` in lower case."""
    return strip_punctuation(caption.lower())


def as_judged(caption: str) -> str:
    """What our fluency detector reads, which was trained so: lower case, no punctuation of any
    script; hyphens and apostrophes glue ("dogs", "highpitched"), other marks part words."""
    return " ".join(_NO_WORD.sub(" ", _GLUED.sub("", caption.lower())).split())


def words(caption: str) -> list[str]:
    """The words of a caption in lower case, whole ("dog's", "high-pitched"), without numbers: for
    vocabularies and for rules about English."""
    return _WORD.findall(caption.lower())


def as_compared(caption: str) -> str:
    """Its `words` alone: equal for captions that differ in case, spaces or punctuation only."""
    return " ".join(words(caption))


def as_tagged(caption: str) -> str:
    """What the caption tagger reads: lower case, no spaces and full stops at the ends; commas stay,
    for a caption is cut into events at them."""
    return caption.lower().strip(" .")
