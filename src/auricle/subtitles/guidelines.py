"""Guidelines for subtitles of sounds, and the presets of two publishers.

Netflix: *English (USA) Timed Text Style Guide* and *Timed Text Style Guide: General Requirements*.
BBC: *Subtitle Guidelines*, by section. A number without a source is ours; `docs/subtitles.md` has
them all in one table.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Annotated, Literal

from auricle.schema import Range, check

Case = Literal["lower", "upper", "sentence"]
Brackets = Literal["square", "round", "none"]
Audience = Literal["adults", "children"]

BRACKETS: dict[Brackets, tuple[str, str]] = {"square": "[]", "round": "()", "none": ("", "")}  # type: ignore[dict-item]
# A time is written in whole ms, inside its frame: a cue loses up to 2 ms against its frames.
_ROUNDING_S = 0.002


@dataclass(frozen=True)
class Guidelines:
    """What a cue may be. The defaults are Netflix's for adults.

    Attributes:
        max_line_chars, max_lines: of a cue, brackets and spaces counted.
        min_s, max_s: on screen.
        cue_s: on screen at most, unless a label needs longer to be read.
        chars_per_s, words_per_min: reading speed at most; None: words are not counted.
        extra_s: on screen beyond the reading time, where there is room.
        late_s: a cue begins at most so long after its sound, or else while the sound lasts.
        repeat_s: a label is not shown again so soon after it was.
        gap_frames: between two cues, and between a cue and dialogue, at least.
        close_s: a shorter gap is closed to ``gap_frames`` where the cue may last so long.
        frame_rate_hz: of the video: cues begin and end on frames.
        full_length: a lasting sound's cue stays as long as the sound, up to ``max_s``.
    """

    max_line_chars: Annotated[int, Range(10, 200)] = 42
    max_lines: Annotated[int, Range(1, 2)] = 2
    min_s: Annotated[float, Range(0.1, 10)] = 5 / 6
    max_s: Annotated[float, Range(1, 60)] = 7.0
    cue_s: Annotated[float, Range(0.5, 60)] = 3.0
    chars_per_s: Annotated[float, Range(1, 100)] = 20.0
    words_per_min: float | None = None
    extra_s: Annotated[float, Range(0, 10)] = 0.5
    late_s: Annotated[float, Range(0, 10)] = 1.0
    repeat_s: Annotated[float, Range(0, 3600)] = 5.0
    gap_frames: Annotated[int, Range(0, 100)] = 2
    close_s: Annotated[float, Range(0, 10)] = 0.5
    frame_rate_hz: Annotated[float, Range(5, 300)] = 24.0
    case: Case = "lower"
    brackets: Brackets = "square"
    full_length: bool = False

    def __post_init__(self) -> None:
        words = self.words_per_min
        check(
            self,
            {
                "words_per_min": (words is None or 1 <= words <= 1000, "from 1 to 1,000, or None"),
                "max_s": (self.max_s >= self.min_s, "min_s or more"),
                "cue_s": (
                    self.min_s <= self.cue_s <= self.max_s,
                    f"from {self.min_s:.2f} to {self.max_s:g} s",
                ),
                "case": (self.case in ("lower", "upper", "sentence"), "lower, upper or sentence"),
                "brackets": (self.brackets in BRACKETS, "square, round or none"),
            },
        )

    def reading_s(self, label: str) -> float:
        """Seconds that ``label`` needs on screen, at least ``min_s``; a line end is a character."""
        words = len(label.split()) * 60 / self.words_per_min if self.words_per_min else 0.0
        return max(self.min_s, len(label) / self.chars_per_s, words)

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second; 23.976, 29.97 and 59.94 stand for the rates of NTSC."""
        ntsc = Fraction(round(self.frame_rate_hz) * 1000, 1001)
        exact = Fraction(self.frame_rate_hz).limit_denominator(1001)
        return ntsc if 0 < abs(ntsc - exact) < Fraction(1, 200) else exact

    def frame_at(self, seconds: float) -> int:
        """The first frame that is not before ``seconds``."""
        return ceil(Fraction(seconds) * self.frame_rate - Fraction(1, 10**6))

    def frames_of(self, seconds: float) -> int:
        """The fewest frames that last ``seconds`` also when they are written in whole ms."""
        return ceil(Fraction(seconds + _ROUNDING_S) * self.frame_rate) if seconds else 0

    def frames_within(self, seconds: float) -> int:
        """The most frames that last ``seconds`` at most."""
        return floor(Fraction(seconds) * self.frame_rate + Fraction(1, 10**6))

    def span_s(self, first: int, last: int) -> tuple[float, float]:
        """Start and end in seconds, whole ms between the two frames."""
        start_ms, end_ms = (
            ceil(first * 1000 / self.frame_rate),
            floor(last * 1000 / self.frame_rate),
        )
        return start_ms / 1000, end_ms / 1000


_NETFLIX = {
    "max_line_chars": 42,  # English (USA), I.2
    "max_lines": 2,  # General Requirements, 5
    "min_s": 5 / 6,  # General Requirements, 1
    "max_s": 7.0,  # General Requirements, 1
    "gap_frames": 2,  # General Requirements, 3
    "close_s": 0.5,  # subtitle timing guidelines: gaps of 3 to 11 frames of 24 are closed
    "extra_s": 0.5,  # General Requirements, 7: an out-time may lie 12 frames after its audio
    "case": "lower",  # English (USA), SDH: all lower case
    "brackets": "square",  # English (USA), SDH
}
_BBC = {
    "max_line_chars": 37,  # 3.1: of teletext; of online subtitles, 68 % of the width
    "max_lines": 2,  # 3.3: three are to be avoided
    "chars_per_s": 20.0,
    "extra_s": 1.0,  # 4.3.3: a second more for labels where possible
    "close_s": 1.0,  # 4.5: a gap lasts a second, or there is none
    "frame_rate_hz": 25.0,
    "case": "upper",  # 17.3: white caps
    "brackets": "none",  # 17.3
}
_SPEEDS: dict[tuple[str, str], dict[str, float]] = {
    ("netflix", "adults"): {"chars_per_s": 20.0},  # English (USA), SDH
    ("netflix", "children"): {"chars_per_s": 17.0},  # English (USA), SDH
    ("bbc", "adults"): {"words_per_min": 180.0},  # 4: 160 to 180
    ("bbc", "children"): {"words_per_min": 160.0},  # 4; section 20 names no number for children
}


def preset(name: Literal["netflix", "bbc"], audience: Audience, **changes: object) -> Guidelines:
    """The guidelines of a publisher, with ``changes``: fields that are not None.

    Raises ValueError: a change is out of its range.
    """
    base = {"netflix": _NETFLIX, "bbc": _BBC}[name]
    given = {field: value for field, value in changes.items() if value is not None}
    return Guidelines(**base | _SPEEDS[name, audience] | given)  # type: ignore[arg-type]
