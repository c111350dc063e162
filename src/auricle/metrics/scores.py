"""Scores of a corpus and its items, by name, and metrics that cannot be computed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Score:
    """One metric of N captions.

    Attributes:
        name: the name of the score wherever it is shown. A score from another program or model than
            the published one has its own name ("SPICE (spice-py)").
        corpus: the score of the corpus; for some metrics, it is not the mean of the items.
        items: one score per caption, or empty for metrics of a corpus only.
        details: further values per item by name, such as the five error probabilities.
    """

    name: str
    corpus: float
    items: tuple[float, ...] = ()
    details: dict[str, tuple[float, ...]] = field(default_factory=dict)


def labelled(name: str, *labels: str | None) -> str:
    """ "FENSE" -> "FENSE (auricle detector, MiniLM)", if there are labels."""
    parts = dict.fromkeys(label for label in labels if label)
    return f"{name} ({', '.join(parts)})" if parts else name


@dataclass(frozen=True)
class Missing:
    """A metric that cannot be computed here.

    Attributes:
        name: the name that its score would have.
        reason: what is missing.
        command: the one command that installs it.
    """

    name: str
    reason: str
    command: str


class MissingMetricError(Exception):
    """Raised by a metric that cannot be computed on this machine; `missing` says why."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(f"{missing.name}: {missing.reason}; {missing.command}")
        self.missing = missing
