"""What is plotted of one recording: its overview and its timed captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auricle.annotations import in_order
from auricle.clock import clock
from auricle.errors import DataError
from auricle.files import listed
from auricle.records import Caption, read_captions
from auricle.report.overview import Overview
from auricle.report.player import ticks
from auricle.report.words import WordsOverTime

BEYOND_S = 0.5  # that a caption may end after its recording: containers and codecs round


@dataclass(frozen=True, eq=False)
class Plot:
    """``captions``: of the recording ``path`` alone, by start; ``words``: of the only one."""

    path: Path
    overview: Overview
    captions: Sequence[Caption]
    words: WordsOverTime | None = None

    def facts(self) -> str:
        """A line for people."""
        number = len(self.captions)
        models = sorted({one.model for one in self.captions if one.model})
        parts = [
            clock(self.overview.duration_s, 1),
            f"{number} caption{'s' * (number != 1)}",
            *models,
        ]
        if self.words:
            most = 100 * float(self.words.weights.max())
            parts.append(
                f"attention of each word over time: from 0 (dark) to {most:.0f} % (bright)"
            )
        return " · ".join(parts)


def captions_of(records: Path, audio: Path) -> list[Caption]:
    """The captions of the recording ``audio`` in a file of records, by start. Records know it by
    its path, or by its name if they are of one recording of that name.

    Raises DataError: there are none, or they are of several recordings, or a line is no record.
    """
    found = [_checked(one, where) for where, one in read_captions(records)]
    if not found:
        raise DataError(
            f"{records}: no records in it; write them with `auricle timeline --format jsonl`"
        )
    same = [one for one in found if _same(Path(one.audio), audio)]
    if not same:
        same = [one for one in found if Path(one.audio).name == audio.name]
        if len(paths := {one.audio for one in same}) > 1:
            raise DataError(
                f"{records}: several recordings are called {audio.name}: {listed(sorted(paths))};"
                " give the path of one of them"
            )
    if not same:
        names = listed(sorted({one.audio for one in found}), most=3, letters=100)
        raise DataError(
            f"{records}: no record of {audio}; it has those of {names}; give that recording, or"
            " other records"
        )
    return [replace(one, audio=str(audio)) for one in in_order(same)]


def check_within(captions: Sequence[Caption], duration_s: float, records: Path) -> None:
    """Raises DataError: a caption lies after the end of the recording."""
    for one in captions:
        if one.start_s >= duration_s or one.end_s > duration_s + BEYOND_S:
            raise DataError(
                f"{records}: a caption from {one.start_s:g} to {one.end_s:g} s, but {one.audio}"
                f" lasts {duration_s:.4g} s; give the records of this recording"
            )


def axis(duration_s: float) -> list[tuple[float, str]]:
    """Ticks of a time axis, with their labels: "2.5 s", "1:20"."""
    times = [*ticks(duration_s)]
    short = len(times) < 2 or times[1] < 10
    return [(time_s, f"{time_s:g} s" if short else clock(time_s)) for time_s in times]


def _checked(one: Caption, where: str) -> Caption:
    if not 0 <= one.start_s < one.end_s:
        raise DataError(
            f"{where}: a caption from {one.start_s:g} to {one.end_s:g} s; it must start at 0 s or"
            " later, and end after its start"
        )
    if one.confidence is not None and not 0 <= one.confidence <= 1:
        raise DataError(f"{where}: confidence {one.confidence:g}; it must be from 0 to 1")
    return one


def _same(one: Path, other: Path) -> bool:
    try:
        return one == other or one.samefile(other)
    except (OSError, ValueError):  # no such file; no name that a file can have
        return False
