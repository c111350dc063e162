"""Results of reading a data set: its clips, and the rows and files that gave none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from auricle.data.clip import Clip


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row or file that gave no clip: its place ("train.csv:17", a path) and the reason."""

    where: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """The clips of a data set, and all that was left out."""

    clips: list[Clip]
    left_out: list[LeftOut]

    def reasons(self) -> Counter[str]:
        """The number of left-out rows by reason."""
        return Counter(item.reason for item in self.left_out)
