"""Stripping: a document without its cues of sounds, and dialogue without their labels."""

from __future__ import annotations

from dataclasses import replace

from auricle.subtitles.documents import Document
from auricle.subtitles.sounds import without_sounds


def stripped(document: Document) -> Document:
    """The document without the sounds that its cues tell of; a note has the counts. Times and all
    other cues stay as they are."""
    kept, changed = [], 0
    for event in document.events:
        text = without_sounds(event.text)
        changed += text not in ("", event.text)
        if text:
            kept.append(replace(event, text=text))
    removed = len(document.events) - len(kept)
    cues = "1 cue" if removed == 1 else f"{removed} cues"
    note = f"{cues} of sounds removed, {changed} more lost a sound's label"
    return replace(document, events=tuple(kept)).noting(f"{document.name}: {note}")
