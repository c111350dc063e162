"""Sources of one call: one or several; arrays get their rate, allowed addresses their content."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from auricle.audio.kinds import fetched, is_array, is_one
from auricle.hearing import Source

NO_RATE = (
    "an array came without its sample rate, so it is taken at the model's, {} Hz; give it: "
    "caption(array, sample_rate=44100)"
)


class OwnRate:
    """The model's sample rate in Hz, for an array that comes without one; warns the first time."""

    def __init__(self, hz: int) -> None:
        self.hz, self._warnings = hz, [NO_RATE.format(hz)]

    def __call__(self) -> int:
        with contextlib.suppress(IndexError):  # several threads ask
            warnings.warn(self._warnings.pop(), stacklevel=_level_of_user())
        return self.hz


@dataclass(frozen=True)
class Sources:
    """How a call takes its sources; ``rate_hz``: of arrays that lack it, None for ``own_rate``."""

    own_rate: OwnRate
    rate_hz: int | None = None
    allow_urls: bool = False
    audio: Callable[[Any], Source] | None = None

    def each(self, sources: Any) -> Iterator[Any]:
        """One source or several, in the thread of the caller, whose line a warning can show."""
        several: Iterable[Any] = [sources] if not self.audio and is_one(sources) else sources
        for source in several:
            if self.rate_hz is None and not self.audio and is_array(source):
                self.own_rate()
            yield source

    def sound(self, source: Any) -> Source:
        """What is loaded for ``source``; raises AudioError: its address gives no recording."""
        given: Any = self.audio(source) if self.audio else source
        if is_array(given):
            return given, self.own_rate() if self.rate_hz is None else self.rate_hz
        return fetched(given) if self.allow_urls else given


def _level_of_user() -> int:
    """The ``stacklevel`` of the first line outside this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "auricle":
        frame, level = frame.f_back, level + 1
    return level
