"""Options for subtitles of sounds, and what they become."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from auricle.records import Caption
    from auricle.subtitles.documents import Document, Format
    from auricle.subtitles.guidelines import Guidelines


class Profile(StrEnum):
    plain = "plain"
    sdh = "sdh"


class Preset(StrEnum):
    netflix = "netflix"
    bbc = "bbc"


class Case(StrEnum):
    LOWER = "lower"  # in capitals: str.lower is a method
    UPPER = "upper"
    SENTENCE = "sentence"


class Brackets(StrEnum):
    square = "square"
    round = "round"
    none = "none"


class Audience(StrEnum):
    adults = "adults"
    children = "children"


FROM_PRESET = "the preset's own"
SDH_ONLY = (  # which captions as they are do not use
    "preset",
    "audience",
    "case",
    "brackets",
    "frame_rate",
    "cue_duration",
    "full_length",
)


@dataclass(frozen=True)
class SubtitleChoices:
    """How srt and vtt are written; None keeps the preset's value."""

    profile: Annotated[
        Profile | None,
        typer.Option(
            help="Of srt and vtt: captions as they are, or cues for deaf and hard-of-hearing"
            " viewers.",
            show_default="plain; sdh with --speech",
        ),
    ] = None
    speech: Annotated[
        Path | None,
        typer.Option(
            metavar="SUBTITLES",
            help="Put the cues into the gaps of this dialogue (srt, vtt, ass), which stays as it"
            " is.",
        ),
    ] = None
    strip: Annotated[
        bool,
        typer.Option("--strip", help="Remove cues of sounds from the subtitles first."),
    ] = False
    preset: Annotated[Preset, typer.Option(help="Whose guidelines the cues of sdh follow.")] = (
        Preset.netflix
    )
    audience: Annotated[Audience, typer.Option(help="Who must have time to read.")] = (
        Audience.adults
    )
    case: Annotated[
        Case | None, typer.Option(help="Letters of a label.", show_default=FROM_PRESET)
    ] = None
    brackets: Annotated[
        Brackets | None, typer.Option(help="Around a label.", show_default=FROM_PRESET)
    ] = None
    frame_rate: Annotated[
        float | None,
        typer.Option(
            metavar="HZ",
            help="Of the video: cues begin and end on its frames.",
            show_default="24; 25 of bbc",
        ),
    ] = None
    cue_duration: Annotated[
        float | None,
        typer.Option(metavar="S", help="A cue's time on screen at most.", show_default="3"),
    ] = None
    full_length: Annotated[
        bool,
        typer.Option("--full-length", help="Cues stay as long as their sound, up to 7 s."),
    ] = False

    @property
    def guidelines(self) -> Guidelines | None:
        """None for captions as they are."""
        from auricle.subtitles.guidelines import preset

        if self.profile is Profile.plain and self.speech:
            raise typer.BadParameter(
                "captions as they are would overlap the dialogue of --speech; leave it out.",
                param_hint="'--profile plain'",
            )
        if self.profile is not Profile.sdh and not self.speech:
            return None
        try:
            return preset(
                self.preset.value,
                self.audience.value,
                case=self.case and self.case.value,
                brackets=self.brackets and self.brackets.value,
                frame_rate_hz=self.frame_rate,
                cue_s=self.cue_duration,
                full_length=self.full_length,
            )
        except ValueError as error:
            raise typer.BadParameter(f"{error}.") from error

    def dialogue(self) -> Document | None:
        """The subtitles of --speech, stripped with --strip; read it before the long work begins.

        Raises AuricleError: the file cannot be used.
        """
        from auricle.subtitles.documents import read_document

        if not self.speech:
            return None
        return self.stripped(self.speech) if self.strip else read_document(self.speech)

    @staticmethod
    def stripped(path: Path, format: Format | None = None) -> Document:
        """A file of subtitles without its cues of sounds, in its own format (ASS as SRT) or else.

        Raises AuricleError: the file cannot be used.
        """
        from auricle.subtitles.documents import read_document
        from auricle.subtitles.strip import stripped

        document = stripped(read_document(path))
        return document.to(format or document.format)

    def document(
        self, captions: Iterable[Caption], format: Format, dialogue: Document | None = None
    ) -> Document:
        """The subtitles of one recording: ``str`` gives the file's text, ``notes`` what to say.

        ``dialogue``: what `dialogue` gave.
        """
        from auricle.subtitles.compose import composed

        return composed(captions, format, self.guidelines, dialogue)
