"""The fluency detector's contract: texts -> probabilities of the FENSE error classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

# In the order of the published detector's outputs (Zhou et al., ICASSP 2022, section 3.2).
CLASSES = ("add_tail", "repeat_event", "repeat_adv", "remove_conj", "remove_verb", "error")
ERROR = CLASSES.index("error")
NAMED = 0.5  # from this probability on, an error is named by its class
# In words, for reports.
DESCRIPTIONS = {
    "add_tail": "incomplete end",
    "repeat_event": "repeated event",
    "repeat_adv": "repeated adverb",
    "remove_conj": "missing conjunction",
    "remove_verb": "missing verb",
    "error": "any error",
}


class Verdict(NamedTuple):
    """Whether a caption is fluent, the probability that it has no error, and its error in words,
    None if it is fluent."""

    fluent: bool
    probability: float
    fault: str | None


class FluencyDetector(ABC):
    """Judges whether captions are whole, fluent sentences.

    Attributes:
        name: the name in reports.
        threshold: a caption is disfluent if its error probability is above it.
    """

    name: str
    threshold: float

    @abstractmethod
    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """N captions -> [N, 6] float32, in the order of `CLASSES`.

        Case and punctuation do not matter; the six probabilities are independent.
        """

    def error(self, texts: Sequence[str]) -> np.ndarray:
        """[N] float32: the probability that a caption has an error of any class."""
        return self.probabilities(texts)[:, ERROR]

    def fluent(self, texts: Sequence[str]) -> list[bool]:
        """Per caption: whether its error probability is within the threshold."""
        values: list[bool] = (self.error(texts) <= self.threshold).tolist()
        return values

    def verdicts(self, texts: Sequence[str]) -> list[Verdict]:
        """A verdict per caption, by `fluent`'s rule."""
        found = self.probabilities(texts)
        fluent = (found[:, ERROR] <= self.threshold).tolist()
        return [
            Verdict(whole, 1 - row[ERROR], None if whole else _fault(row))
            for whole, row in zip(fluent, found.tolist(), strict=True)
        ]


def _fault(row: Sequence[float]) -> str:
    kind = max(range(ERROR), key=row.__getitem__)
    named = CLASSES[kind if row[kind] >= NAMED else ERROR]
    return f"{DESCRIPTIONS[named]} {row[ERROR]:.2f}"
