"""Formats of timed captions: rows of any number of recordings, and documents of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

import typer

from auricle.annotations import ANNOTATIONS
from auricle.cli.folders import FolderChoices
from auricle.cli.subtitle_options import SubtitleChoices
from auricle.files import listed
from auricle.printable import printable
from auricle.writers import TIMELINE_WRITERS

if TYPE_CHECKING:
    from auricle.records import Caption
    from auricle.subtitles.documents import Document, Format

ROWS = tuple(TIMELINE_WRITERS)
SUBTITLES = ("srt", "vtt")
SUFFIXES = {name: f".{name}" for name in (*ROWS, *SUBTITLES)}
SUFFIXES |= {name: kind.suffix for name, kind in ANNOTATIONS.items()}
BY_NAME = {suffix.lower(): name for name, suffix in SUFFIXES.items()}


def chosen_formats(
    asked: str | None, places: FolderChoices, subtitles: SubtitleChoices
) -> list[str]:
    """The formats in ``asked``, by commas, in the order of `SUFFIXES`; by default that of the name
    of the file."""
    if asked is not None:
        names = [name.strip().lower() for name in asked.split(",") if name.strip()]
        unknown = [name for name in names if name not in SUFFIXES]
        if unknown or not names:
            raise typer.BadParameter(
                f"{printable(listed(unknown) or asked)!r}: must be {', '.join(SUFFIXES)}.",
                param_hint="'--format'",
            )
        return [name for name in SUFFIXES if name in names]
    if places.file:
        return [BY_NAME.get(places.file.suffix.lower(), "jsonl")]
    if subtitles.speech:
        suffix = subtitles.speech.suffix.lower()
        return [BY_NAME[suffix] if suffix[1:] in SUBTITLES else "srt"]
    return ["jsonl"]


@dataclass(frozen=True)
class Documents:
    """The documents of one recording, in those of ``formats`` that are no rows."""

    formats: Sequence[str]
    subtitles: SubtitleChoices
    dialogue: Document | None

    @property
    def of_one(self) -> bool:
        """Whether there are formats that cannot hold several recordings."""
        return any(name not in ROWS for name in self.formats)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the documents, with the dialogue itself in place of its file's name."""
        if not set(self.formats) & set(SUBTITLES):
            return {}
        text = str(self.dialogue) if self.dialogue else ""
        speech = self.dialogue and blake2b(text.encode(), digest_size=16).hexdigest()
        return asdict(self.subtitles) | {"speech": speech}

    def of(
        self, captions: Sequence[Caption], duration_s: float, name: str
    ) -> tuple[dict[str, str], list[str]]:
        """The text of each, and notes for the user."""
        texts, notes = {}, []
        for format in self.formats:
            if format in SUBTITLES:
                found = self.subtitles.document(captions, cast("Format", format), self.dialogue)
                texts[format] = str(found)
                notes += [f"{name}: {note}" for note in found.notes]
            elif format in ANNOTATIONS:
                texts[format] = ANNOTATIONS[format].write(captions, duration_s, name)
        return texts, list(dict.fromkeys(notes))
