"""The captioned clips of manifests, in memory as numbers alone; rows are parsed again when used."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from auricle.data.manifest import Clip, parse_clip
from auricle.errors import DataError
from auricle.training.sources import OnSkip, Source, read_source, stamp_of, usable


class Examples:
    """N captioned clips: 16 bytes a clip, whatever its captions.

    A clip's ``captions`` are those that can be learned from, as `as_written` writes them. May be
    pickled and forked: no file stays open.

    Attributes:
        seconds: [N] float32, what is heard of each clip.
    """

    def __init__(self, sources: Sequence[Source], rows: np.ndarray, min_words: int) -> None:
        self.sources, self.min_words = tuple(sources), min_words
        self._rows = rows

    @classmethod
    def read(
        cls,
        manifests: Iterable[str | os.PathLike[str]],
        split: str,
        max_duration_s: float,
        min_words: int = 1,
        on_skip: OnSkip | None = None,
    ) -> Examples:
        """The usable rows of ``split`` ("" for every row), in order.

        Args:
            max_duration_s: of longer clips the start is heard.
            min_words: captions of fewer words are left out.
            on_skip: told of each row that is skipped, as ("manifest:line", reason).

        Raises:
            DataError: a manifest cannot be read, or holds no row that can be used.
        """
        sources, rows = [], []
        for number, manifest in enumerate(map(Path, manifests)):
            source, found = read_source(manifest, split, max_duration_s, min_words, on_skip)
            found["manifest"] = number
            sources.append(source)
            rows.append(found)
        if not sources:
            raise DataError(f'no manifest for the split "{split}"; name at least one in [data]')
        return cls(sources, np.concatenate(rows), min_words)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Clip]:
        return (self.clip(index) for index in range(len(self)))

    @property
    def seconds(self) -> np.ndarray:
        return self._rows["seconds"]

    @property
    def skipped(self) -> Counter[str]:
        """Rows that were left out, by reason."""
        return sum((source.skipped for source in self.sources), Counter())

    @property
    def licences(self) -> Counter[str]:
        """Clips by the licence of their audio."""
        return sum((source.licences for source in self.sources), Counter())

    @property
    def digest(self) -> str:
        """SHA-256 of rows, order and durations: what the batches of a run depend on."""
        parts = "".join(source.digest for source in self.sources)
        return hashlib.sha256(parts.encode()).hexdigest()

    def clip(self, index: int) -> Clip:
        """Clip ``index``, read from its manifest.

        Raises DataError: the manifest has changed since.
        """
        row = self._rows[index]
        source = self.sources[row["manifest"]]
        try:
            with source.path.open("rb") as file:
                changed = stamp_of(file.fileno()) != source.stamp
                file.seek(row["offset"])
                line = file.readline()
        except OSError as error:
            raise DataError(f"{source.path}: cannot be read any more ({error.strerror})") from error
        if changed:
            raise DataError(
                f"{source.path}: the manifest was changed while in use; start again with the new"
                " one, or put the old one back"
            )
        clip = parse_clip(line, source.path.parent)
        return replace(clip, captions=usable(clip.captions, self.min_words))

    def captions(self) -> Iterator[str]:
        """All captions of all clips."""
        return (caption for clip in self for caption in clip.captions)
