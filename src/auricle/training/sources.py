"""One manifest, looked through once: which rows can be learned from, and why the others cannot."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from auricle.audio import MIN_DURATION_S, load_audio
from auricle.data.manifest import Clip, parse_clip
from auricle.data.mixing import FOLLOWED_BY, Mix, mix_of
from auricle.data.probe import probe
from auricle.errors import AudioError, DataError
from auricle.text.tokenizer import strip_punctuation

READ_AT_ONCE = 1024  # rows whose audio is looked at together
THREADS = 8  # opening a file is waiting for a disk
ROW = np.dtype([("manifest", "i4"), ("offset", "i8"), ("seconds", "f4")])

OnSkip = Callable[[str, str], None]


@dataclass(frozen=True)
class Source:
    """What was read of one manifest: its rows of the split that can be used, and the others.

    ``skipped``: rows by reason; ``digest``: of the usable rows and their order; ``stamp``: size and
    time of change of the file when it was read.
    """

    path: Path
    clips: int
    seconds: float
    licences: Counter[str]
    skipped: Counter[str]
    captions_dropped: int
    digest: str
    stamp: tuple[int, int]


def as_written(caption: str) -> str:
    """Lower case, no punctuation, single spaces: the form captions are learned in (published)."""
    return strip_punctuation(caption.lower())


def usable(captions: Iterable[str], min_words: int) -> tuple[str, ...]:
    """Captions `as_written`, without those of fewer words."""
    written = map(as_written, captions)
    return tuple(text for text in written if len(text.split()) >= max(1, min_words))


def read_source(
    manifest: Path, split: str, max_duration_s: float, min_words: int, on_skip: OnSkip | None
) -> tuple[Source, np.ndarray]:
    """What ``manifest`` holds, and its rows [n] of `ROW`: see `auricle.training.examples`."""
    skipped: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    parts, dropped, digest = [np.empty(0, ROW)], 0, hashlib.sha256()
    look = partial(_look, manifest.parent, split, max_duration_s, min_words)
    try:
        file = manifest.open("rb")
    except OSError as error:
        raise DataError(
            f"{manifest}: no manifest that can be read ({error.strerror}); `auricle data` makes one"
        ) from error
    with file, ThreadPoolExecutor(THREADS) as pool:
        stamp = stamp_of(file.fileno())
        lines = _lines(file)
        while chunk := list(islice(lines, READ_AT_ONCE)):
            kept = []
            for (number, offset, line), (clip, found) in zip(
                chunk, pool.map(look, chunk), strict=True
            ):
                if clip is not None:
                    splits[clip.split] += 1
                if clip is not None and isinstance(found, float):
                    kept.append((0, offset, found))
                    digest.update(line.rstrip() + b"\n%a" % found)
                    licences[clip.licence or "not stated"] += 1
                    dropped += len(clip.captions) - len(usable(clip.captions, min_words))
                elif found:
                    skipped[str(found)] += 1
                    if on_skip:
                        on_skip(f"{manifest}:{number}", str(found))
            parts.append(np.array(kept, dtype=ROW))
    rows = np.concatenate(parts)
    if not len(rows):
        raise DataError(_nothing(manifest, split, splits, skipped))
    seconds = float(rows["seconds"].sum(dtype=np.float64))
    source = Source(
        manifest, len(rows), seconds, licences, skipped, dropped, digest.hexdigest(), stamp
    )
    return source, rows


def _lines(file: Iterable[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """(number from 1, byte offset, line) of each line that is not blank."""
    offset = 0
    for number, line in enumerate(file, 1):
        if line.strip():
            yield number, offset, line
        offset += len(line)


def _look(
    folder: Path, split: str, max_duration_s: float, min_words: int, line: tuple[int, int, bytes]
) -> tuple[Clip | None, float | str]:
    """The clip of a line, if it is one; its seconds, or why it is skipped ("": another split)."""
    try:
        clip = parse_clip(line[2], folder)
    except DataError:
        return None, "broken row"
    if split and clip.split != split:
        return clip, ""
    if not usable(clip.captions, 1):
        return clip, "no caption"
    if not usable(clip.captions, min_words):
        return clip, f"only captions of fewer than {min_words} words"
    mix = mix_of(clip)
    parts: list[Clip | Mix] = [clip, mix] if mix else [clip]
    if not all(part.audio.exists() for part in parts):
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
    follows = mix is not None and mix.relation == FOLLOWED_BY
    return clip, min(max_duration_s, sum(seconds) if follows else max(seconds))


def _section_s(audio: Path, start_s: float, end_s: float | None, max_duration_s: float) -> float:
    """Seconds of a section, by the file's header where it declares any."""
    rate_hz, whole_s = probe(audio)
    if not whole_s:  # a stream's header: only decoding tells, for as long as anything is heard
        whole_s = load_audio(audio, rate_hz, end_s or start_s + max_duration_s).duration_s
    return min(end_s or whole_s, whole_s) - start_s


def _nothing(manifest: Path, split: str, splits: Counter[str], skipped: Counter[str]) -> str:
    reasons = ", ".join(f"{reason}: {count}" for reason, count in skipped.most_common())
    if split and not splits[split]:
        there = ", ".join(f"{name or '(empty)'} ({count})" for name, count in splits.most_common())
        return (
            f'{manifest}: no row of split "{split}"; it has {there or "no rows"}'
            f"{f' ({reasons})' if reasons else ''}; name one of those"
            " in the recipe, or hold some out (`auricle data folder … --validation 0.1`)"
        )
    return (
        f"{manifest}: no row can be learned from ({reasons or 'the file is empty'}); mend those"
        f" rows: auricle data check {manifest} names them"
    )


def stamp_of(handle: int) -> tuple[int, int]:
    """Size and time of change of an open file."""
    status = os.fstat(handle)
    return status.st_size, status.st_mtime_ns
