"""Readings of data sets: their clips, and the rows and files that gave none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from auricle.data.clip import Clip


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row or file that gave no clip: ``where`` it stands ("train.csv:17", a path) and why."""

    where: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A data set read: its clips, and everything in it that is not among them."""

    clips: list[Clip]
    left_out: list[LeftOut]

    def reasons(self) -> Counter[str]:
        """The number of left out rows by reason."""
        return Counter(item.reason for item in self.left_out)
