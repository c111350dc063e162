"""Repeated answers: one text, or one frame around the captions' words, for many different pairs.

Captions that are alike may truly give one mix, and equal captions must, so what counts is how many
different pairs of captions an answer has. The memory holds numbers, not texts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING

from auricle.mixup.cleaning import sentences
from auricle.mixup.events import unknown
from auricle.mixup.pairs import digest
from auricle.text.normalise import as_compared

if TYPE_CHECKING:
    from auricle.mixup.answers import MixupRow

FEW = 3  # pairs may share a text or a frame in any file
SAME_SHARE, FRAME_SHARE = 0.001, 0.02  # or this share of the answers, if that is more
FRAME_WORDS = 3  # content words that no caption has: "a symphony of ... fills the evening air"

REPEATED = "one answer for many pairs"
FRAMED = "one form of words for many pairs"


class Repeats:
    """The repeated answers of ``rows``."""

    def __init__(self, rows: Iterable[MixupRow]) -> None:
        texts, frames = array("Q"), array("Q")
        for row in rows:
            pair = digest(repr(sorted(map(as_compared, row.captions))))
            text, frame = _text(row), _frame(row)
            texts.extend((text, pair))
            if frame is not None:
                frames.extend((frame, pair))
        count = len(texts) // 2
        self._texts = _shared(texts, max(FEW, count * SAME_SHARE))
        self._frames = _shared(frames, max(FEW, count * FRAME_SHARE))

    def fault(self, row: MixupRow) -> str | None:
        """Why the answer of ``row`` counts as repeated, or None."""
        if _text(row) in self._texts:
            return REPEATED
        return FRAMED if _frame(row) in self._frames else None


def _text(row: MixupRow) -> int:
    return digest(as_compared(_first(row)))


def _frame(row: MixupRow) -> int | None:
    """None if the answer has few words of its own."""
    own = unknown(_first(row), row.captions)
    return digest(" ".join(own)) if len(own) >= FRAME_WORDS else None


def _first(row: MixupRow) -> str:
    return next(iter(sentences(row.answer)), "")


def _shared(found: array[int], most: float) -> frozenset[int]:
    """The first values of ``found``'s pairs of values with more than ``most`` second values."""
    import numpy as np

    distinct = np.unique(np.frombuffer(found, np.uint64).reshape(-1, 2), axis=0)
    values, times = np.unique(distinct[:, 0], return_counts=True)
    return frozenset(values[times > most].tolist())
