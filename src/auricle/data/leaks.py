"""Leaks: one recording in two splits, by its source or its samples."""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from auricle.data.clip import Clip

K = TypeVar("K", bound=Hashable)

# The split with the higher rank keeps a clip: test sets must not change.
SPLIT_RANK = {"train": 0, "val": 1, "test": 2}
SPLIT_ALIASES = {
    "training": "train",
    "development": "train",
    "dev": "val",
    "valid": "val",
    "validation": "val",
    "evaluation": "test",
    "eval": "test",
    "testing": "test",
}

_FREESOUND = re.compile(r"freesound(?:\.org/(?:.*/)?(?:sounds|s)/|[:_/-])(\d+)\b", re.IGNORECASE)
_ESC50 = re.compile(r"\d-(\d+)-[A-Z](?:-\d+)?")  # fold - Freesound id - take - class
_YOUTUBE_CLIP = re.compile(r"Y?([\w-]{11})_\d+(?:\.\d+)?(?:_\d+(?:\.\d+)?)?", re.ASCII)


def source_of(clip: Clip) -> str | None:
    """ "freesound:66304" or "youtube:r1nicOVtvkQ", by the manifest, else by the clip's names."""
    if clip.source:
        return clip.source
    for text in (clip.id, clip.audio.stem):
        if found := _FREESOUND.search(text) or _ESC50.fullmatch(text):
            return f"freesound:{found[1]}"
    if found := _YOUTUBE_CLIP.fullmatch(clip.audio.stem):
        return f"youtube:{found[1]}"
    return None


def file_name(clip: Clip) -> str:
    """The recording's file name, without differences of case and HTML entities between copies."""
    return html.unescape(clip.audio.name).casefold()


def canonical_split(split: str) -> str:
    """ "development" -> "train", "dev" -> "val", "evaluation" -> "test"; others do not change."""
    lower = split.lower()
    return SPLIT_ALIASES.get(lower, lower)


@dataclass(frozen=True, slots=True)
class Leak(Generic[K]):
    """Row ``row`` shares ``key`` with row ``other``, in a split that keeps it."""

    key: K
    row: int
    other: int


def find_leaks(keys: Iterable[tuple[int, K]], splits: Mapping[int, str]) -> Iterator[Leak[K]]:
    """The rows to remove so that no key is in two splits.

    ``keys`` are (row, key), ``splits`` each row's split. Test keeps its rows first, then
    validation, then training, then splits of other names.
    """
    rows: dict[K, list[int]] = defaultdict(list)
    for row, key in keys:
        rows[key].append(row)
    for key, sharing in rows.items():
        names = {canonical_split(splits[row]) for row in sharing}
        if len(names) < 2:
            continue
        keeper = max(names, key=lambda name: (SPLIT_RANK.get(name, -1), name))
        kept = next(row for row in sharing if canonical_split(splits[row]) == keeper)
        for row in sharing:
            if canonical_split(splits[row]) != keeper:
                yield Leak(key, row, kept)
