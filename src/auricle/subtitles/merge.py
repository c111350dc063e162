"""Merging: cues of sounds in the gaps of dialogue, which stays as it is."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from auricle.records import Caption
from auricle.subtitles.cues import sdh_cues
from auricle.subtitles.documents import Document
from auricle.subtitles.guidelines import Guidelines
from auricle.subtitles.sounds import sounds_in
from auricle.text.stems import content

NEAR_S = 2.0  # between a sound and a cue of the dialogue that names it
SHARE = 0.5  # of a caption's content that the dialogue names too
_SEVERAL = re.compile(r"\b(?:and|while|then|followed|with|as)\b|,")


def merged(document: Document, captions: Iterable[Caption], guidelines: Guidelines) -> Document:
    """The document with cues of the sounds that it does not name; its notes tell of the others."""
    captions = list(captions)
    named = _Named(document)
    heard = [caption for caption in captions if not named.includes(caption)]
    dialogue = [(event.start_s, event.end_s) for event in document.events]
    cues, notes = sdh_cues(heard, guidelines, dialogue)
    if known := len(captions) - len(heard):
        notes.insert(0, f"{known} sound{'s' * (known != 1)} that the dialogue names already")
    return document.with_cues(cues).noting(*notes)


class _Named:
    """The sounds that a document names, by time."""

    def __init__(self, document: Document) -> None:
        found = [(one.start_s, one.end_s, sounds_in(one.text)) for one in document.events]
        self._sounds = sorted(
            (start_s, end_s, content(" ".join(named))) for start_s, end_s, named in found if named
        )
        self._starts = [start_s for start_s, _, _ in self._sounds]

    def includes(self, caption: Caption) -> bool:
        """Whether a sound near the caption's is the same: it tells half of the caption's content,
        or nothing but what a caption of a single sound tells."""
        told = content(caption.caption)
        single = not _SEVERAL.search(caption.caption)
        last = bisect_left(self._starts, caption.end_s + NEAR_S)
        near = self._near(caption.start_s - NEAR_S, self._sounds[:last])
        return any(
            len(told & named) >= SHARE * len(told) or (single and named <= told)
            for named in near
            if told & named
        )

    @staticmethod
    def _near(
        earliest_s: float, sounds: Sequence[tuple[float, float, frozenset[str]]]
    ) -> list[frozenset[str]]:
        return [named for _, end_s, named in sounds if end_s > earliest_s]
