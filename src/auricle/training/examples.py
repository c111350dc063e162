"""Captioned clips of manifests, in memory as numbers alone; rows are parsed again when used."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from auricle.audio.header import probe
from auricle.audio.load import MIN_DURATION_S, load_audio
from auricle.data.clip import FOLLOWED_BY, Clip, Mix
from auricle.data.manifest import DefaultIds, parse_clip, split_counts, with_id
from auricle.errors import AudioError, DataError
from auricle.files import Line, raw_lines
from auricle.text.normalise import as_written
from auricle.watch import OnSkip, silent

READ_AT_ONCE = 1024  # rows whose audio is looked at together
THREADS = 8  # opening a file is waiting for a disk
ROW = np.dtype([("manifest", "i4"), ("offset", "i8"), ("seconds", "f4")])


@dataclass(frozen=True)
class Source:
    """A manifest as it was read: its rows of the split that can be used, and the others.

    Attributes:
        licences: usable rows by the licence of their audio.
        skipped: rows by reason.
        digest: of the usable rows and their order.
        stamp: size and time of change of the file.
        numbers: of `DefaultIds`.
    """

    path: Path
    clips: int
    seconds: float
    licences: Counter[str]
    skipped: Counter[str]
    digest: str
    stamp: tuple[int, int]
    numbers: Mapping[int, int]


class Examples:
    """N captioned clips: 16 bytes a clip, whatever its captions.

    A clip's ``captions`` are those that can be learned from, as `as_written` writes them. May be
    pickled and forked: no file stays open.

    Attributes:
        seconds: [N] float32, what is heard of each clip.
    """

    def __init__(self, sources: Sequence[Source], rows: np.ndarray, min_words: int) -> None:
        self.sources, self.min_words, self._rows = tuple(sources), min_words, rows

    @classmethod
    def read(
        cls,
        manifests: Iterable[str | os.PathLike[str]],
        split: str,
        max_duration_s: float,
        min_words: int = 1,
        on_skip: OnSkip = silent,
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
            source, found = _read_source(manifest, split, max_duration_s, min_words, on_skip)
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

    def turned(self, first: int) -> Examples:
        """The same clips from number ``first`` on, then those before it."""
        return Examples(self.sources, np.roll(self._rows, -first), self.min_words)

    @property
    def seconds(self) -> np.ndarray:
        return self._rows["seconds"]

    @property
    def skipped(self) -> Counter[str]:
        """Rows that were left out, by reason."""
        return sum((source.skipped for source in self.sources), Counter())

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
                changed = _stamp(os.fstat(file.fileno())) != source.stamp
                file.seek(offset := int(row["offset"]))
                line = file.readline()
        except OSError as error:
            raise DataError(f"{source.path}: cannot be read any more ({error.strerror})") from error
        if changed:
            raise DataError(
                f"{source.path}: the manifest was changed while in use; start again with the new"
                " one, or put the old one back"
            )
        clip = parse_clip(line, source.path.parent)
        clip = with_id(clip, source.numbers.get(offset, 1))
        return replace(clip, captions=usable(clip.captions, self.min_words))

    def captions(self) -> Iterator[str]:
        """All captions of all clips."""
        return (caption for clip in self for caption in clip.captions)


def usable(captions: Iterable[str], min_words: int) -> tuple[str, ...]:
    """Captions `as_written`, without those of fewer words."""
    written = map(as_written, captions)
    return tuple(text for text in written if len(text.split()) >= max(1, min_words))


def _read_source(
    manifest: Path, split: str, max_duration_s: float, min_words: int, on_skip: OnSkip
) -> tuple[Source, np.ndarray]:
    """``manifest`` as it is now, and its usable rows [n] of `ROW`."""
    skipped: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    parts, digest = [np.empty(0, ROW)], hashlib.sha256()
    look = partial(_look, manifest.parent, split, max_duration_s, min_words)
    try:
        stamp = _stamp(manifest.stat())
    except OSError as error:
        raise DataError(
            f"{manifest}: no manifest that can be read ({error.strerror}); `auricle data` makes one"
        ) from error
    lines, ids = raw_lines(manifest, "manifest"), DefaultIds()
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(lines, READ_AT_ONCE)):
            kept = []
            for line, (clip, found) in zip(chunk, pool.map(look, chunk), strict=True):
                if clip is not None:
                    clip = ids.complete(clip, line.offset)
                    splits[clip.split] += 1
                if clip is not None and isinstance(found, float):
                    kept.append((0, line.offset, found))
                    digest.update(line.content.rstrip() + b"\n%a" % found)
                    licences[clip.licence or "not stated"] += 1
                elif found:
                    skipped[str(found)] += 1
                    on_skip(f"{manifest}:{line.number}", str(found))
            parts.append(np.array(kept, dtype=ROW))
    rows = np.concatenate(parts)
    if not len(rows):
        raise DataError(_nothing(manifest, split, splits, skipped))
    source = Source(
        path=manifest,
        clips=len(rows),
        seconds=float(rows["seconds"].sum(dtype=np.float64)),
        licences=licences,
        skipped=skipped,
        digest=digest.hexdigest(),
        stamp=stamp,
        numbers=ids.numbers,
    )
    return source, rows


def _look(
    folder: Path, split: str, max_duration_s: float, min_words: int, line: Line
) -> tuple[Clip | None, float | str]:
    """The clip of a line, if it is one; its seconds, or why it is skipped ("": another split)."""
    try:
        clip = parse_clip(line.content, folder)
    except DataError:
        return None, "broken row"
    if split and clip.split != split:
        return clip, ""
    if not usable(clip.captions, 1):
        return clip, "no caption"
    if not usable(clip.captions, min_words):
        return clip, f"only captions of fewer than {min_words} words"
    parts: list[Clip | Mix] = [clip, clip.mix] if clip.mix else [clip]
    if not all(os.path.exists(part.audio) for part in parts):  # noqa: PTH110  (no name is too long)
        return clip, "audio missing"
    try:
        seconds = [
            _section_s(part.audio, part.start_s or 0.0, part.end_s, max_duration_s)
            for part in parts
        ]
    except AudioError:
        return clip, "audio unreadable"
    if min(seconds) < MIN_DURATION_S:
        return clip, f"less than {MIN_DURATION_S} s of audio"
    follows = clip.mix is not None and clip.mix.relation == FOLLOWED_BY
    return clip, min(max_duration_s, sum(seconds) if follows else max(seconds))


def _section_s(audio: Path, start_s: float, end_s: float | None, max_duration_s: float) -> float:
    """Seconds of a section, by the file's header where it declares any."""
    rate_hz, whole_s, _ = probe(audio)
    if not whole_s:  # a stream's header: only decoding tells, for as long as anything is heard
        whole_s = load_audio(audio, rate_hz, end_s=end_s or start_s + max_duration_s).duration_s
    return min(end_s or whole_s, whole_s) - start_s


def _nothing(manifest: Path, split: str, splits: Counter[str], skipped: Counter[str]) -> str:
    reasons = ", ".join(f"{reason}: {count}" for reason, count in skipped.most_common())
    if split and not splits[split]:
        return (
            f'{manifest}: no row of split "{split}"; it has {split_counts(splits)}'
            f"{f' ({reasons})' if reasons else ''}; name one of those"
            " in the recipe, or hold some out (`auricle data folder … --validation 0.1`)"
        )
    return (
        f"{manifest}: no row can be learned from ({reasons or 'the file is empty'}); mend those"
        f" rows: auricle data check {manifest} names them"
    )


def _stamp(status: os.stat_result) -> tuple[int, int]:
    """Size and time of change of a file."""
    return status.st_size, status.st_mtime_ns
