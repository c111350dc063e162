"""Captions in the form that metrics and detectors compare."""

from __future__ import annotations

import re

_GLUED = re.compile(r"[-'’]")  # "high-pitched" -> "highpitched", as the captioner writes it

_OTHER = re.compile(r"[^\w\s]|_")


def normalise(caption: str) -> str:
    """Lower case, single blanks, no punctuation: what the detector sees of a caption."""
    return " ".join(_OTHER.sub(" ", _GLUED.sub("", caption.lower())).split())
