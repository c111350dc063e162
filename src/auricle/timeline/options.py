"""Options of a timeline."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

from auricle.schema import Range, build, check


@dataclass(frozen=True)
class TimelineOptions:
    """How a recording is cut into timed captions.

    Attributes:
        min_duration_s: sounds that are audible for less are left out.
        max_duration_s: longer captions are cut; None leaves them as long as the sound is.
        sensitivity: 0 takes only what is far above the background, 1 also what hardly is.
        hop_s: seconds between the windows in which a long sound is heard; the model's longest
            recording less `OVERLAP_S` by default. Windows that overlap more cost more, and leave
            more places to choose from for the cut between them.
        pause_s: a shorter pause is a part of the sound around it.
        ahead_s: seconds of the recording that the background is judged by in advance.
    """

    min_duration_s: Annotated[float, Range(0.04, 3600)] = 0.2
    max_duration_s: float | None = None
    sensitivity: Annotated[float, Range(0, 1)] = 0.5
    hop_s: float | None = None
    pause_s: Annotated[float, Range(0.1, 60)] = 1.2
    ahead_s: Annotated[float, Range(0, 60)] = 20.0

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in ("max_duration_s", "hop_s")}
        check(
            self,
            {
                name: (value is None or 1 <= value <= 1e9, "1 or more, or None")
                for name, value in given.items()
            },
        )


def taken_from(settings: dict[str, Any]) -> TimelineOptions:
    """The options among ``settings``, which loses them.

    Raises ValueError: one is out of its range.
    """
    names = [one.name for one in fields(TimelineOptions) if one.name in settings]
    return build(TimelineOptions, {name: settings.pop(name) for name in names}, "timeline")
