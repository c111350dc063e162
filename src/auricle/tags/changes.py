"""Changes: which tags of a file get which text.

auricle has tags of its own, which always hold its latest caption. The tags that people and other
programs use too, description and comment, get the caption where they are empty or hold what auricle
wrote before; other text stays, unless it is to be overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from auricle.tags.entry import Entry


class Field(StrEnum):
    """The tags that auricle shares with others."""

    description = "description"
    comment = "comment"


CAPTION, CONFIDENCE, MODEL, DATE = OWN = ("caption", "confidence", "model", "date")  # of an Entry


@dataclass(frozen=True)
class Slot:
    """A tag of a format.

    Attributes:
        name: as the format calls it: "bext Description".
        holds: a `Field`, or one of `OWN`.
        fitted: a caption in the form that fits into the tag.
    """

    name: str
    holds: str
    fitted: Callable[[str], str] = str


@dataclass(frozen=True)
class Rules:
    """``fields``: those of the shared tags that may be written; ``overwrite``: whatever they hold;
    ``keep_times``: a file keeps its time of modification."""

    fields: frozenset[Field] = frozenset(Field)
    overwrite: bool = False
    keep_times: bool = False


@dataclass(frozen=True)
class Change:
    """A tag before and after; ``kept``: it holds other text, which stays."""

    slot: str
    old: str
    new: str
    kept: bool = False


def changes(
    slots: Sequence[Slot], existing: Mapping[str, str], entry: Entry, rules: Rules
) -> list[Change]:
    """What changes, and what is kept although it differs; ``existing``: name of a slot -> text."""
    own = {slot.holds: existing.get(slot.name, "") for slot in slots if slot.holds in OWN}
    new = {name: getattr(entry, name) for name in OWN}
    if all(own.get(name) == new[name] for name in OWN if name != DATE):
        new[DATE] = own.get(DATE) or entry.date
    found = []
    for slot in slots:
        old = existing.get(slot.name, "")
        if slot.holds in OWN:
            found.append(Change(slot.name, old, new[slot.holds]))
        elif Field(slot.holds) in rules.fields:
            text = slot.fitted(entry.caption)
            ours = bool(own.get(CAPTION)) and old == slot.fitted(own[CAPTION])
            kept = bool(old) and old != text and not ours and not rules.overwrite
            found.append(Change(slot.name, old, old if kept else text, kept))
    return [change for change in found if change.kept or change.old != change.new]
