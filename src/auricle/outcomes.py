"""Outcomes: a source with its caption or its error, and what a call does about the errors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, get_args

from auricle.errors import AudioError, SeveralError
from auricle.files import listed
from auricle.records import Caption

if TYPE_CHECKING:
    from auricle.hearing import Heard  # which imports torch

OnError = Literal["raise", "skip", "return"]

S = TypeVar("S")


class Outcome(Protocol):
    """A caption, or the error that prevented it."""

    @property
    def caption(self) -> Caption | None: ...

    @property
    def error(self) -> AudioError | None: ...


@dataclass(frozen=True, eq=False)
class Captioned(Generic[S]):
    """A source with its caption; ``caption`` is None if an ``error`` prevented it."""

    heard: Heard[S]
    caption: Caption | None

    @property
    def source(self) -> S:
        return self.heard.source

    @property
    def error(self) -> AudioError | None:
        return self.heard.error


def check_on_error(on_error: str) -> None:
    """Raise ValueError for what is no `OnError`."""
    if on_error not in get_args(OnError):
        raise ValueError(
            f"on_error={on_error!r}: must be 'raise', 'skip' or 'return'; `stream` yields every "
            "source with its caption or its error"
        )


def settled(found: Sequence[Outcome], on_error: OnError, single: bool) -> list[Any]:
    """The captions of a call, after ``on_error``; ``single``: it was about one recording.

    Raises:
        AudioError: of the single recording; of several, a `SeveralError`.
    """
    errors = [one.error for one in found if one.error]
    if not errors or on_error == "return":
        return [one.caption or one.error for one in found]
    if on_error == "raise" and single:
        raise errors[0]
    reasons = listed(errors, most=3, letters=1000, between="; ")
    told = f"{len(errors)} of {len(found)} recordings cannot be captioned: {reasons}"
    if on_error == "skip":
        warnings.warn(f"left out: {told}", stacklevel=3)
        return [one.caption for one in found if one.caption]
    raise SeveralError(
        f"{told}; this error has the other captions (.captions), on_error='skip' leaves such "
        "recordings out, on_error='return' puts their errors in their places",
        [one.caption for one in found],
        errors,
    )
