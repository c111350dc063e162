"""Composing: the document of a recording's captions, alone or beside its dialogue."""

from __future__ import annotations

from collections.abc import Iterable

from auricle.records import Caption
from auricle.subtitles.cues import plain_cues, sdh_cues
from auricle.subtitles.documents import Document, Format
from auricle.subtitles.guidelines import Guidelines
from auricle.subtitles.merge import merged


def composed(
    captions: Iterable[Caption],
    format: Format,
    guidelines: Guidelines | None = None,
    dialogue: Document | None = None,
) -> Document:
    """The subtitles of ``captions``: as they are without ``guidelines``, else cues that follow
    them, in the gaps of ``dialogue`` if there is any. Its notes tell of sounds without a cue."""
    if guidelines is None:
        return Document(format).with_cues(plain_cues(captions))
    if dialogue is not None:
        return merged(dialogue.to(format), captions, guidelines)
    cues, notes = sdh_cues(captions, guidelines)
    return Document(format, notes=tuple(notes)).with_cues(cues)
