"""The data card: statistics of a data set, as tables for a terminal or Markdown."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from auricle.audio.header import probe
from auricle.data.clip import Clip
from auricle.data.leaks import SPLIT_RANK, canonical_split
from auricle.data.manifest import read_manifest
from auricle.errors import AudioError
from auricle.markdown import escape, table
from auricle.processors import usable
from auricle.text.normalise import words
from auricle.watch import UNKNOWN, Progress, silent

NO_LICENCE = "not given"
BATCH = 1024  # clips whose headers are read together


@dataclass
class SplitStatistics:
    """One split: seconds and licence of each clip, words of each caption, counts of each word."""

    clips: int = 0
    unreadable: int = 0
    durations_s: list[float] = field(default_factory=list)
    captions_per_clip: Counter[int] = field(default_factory=Counter)
    caption_words: list[int] = field(default_factory=list)
    captions: Counter[str] = field(default_factory=Counter)
    vocabulary: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    licence_ms: Counter[str] = field(default_factory=Counter)  # milliseconds of audio per licence

    def add(self, clip: Clip, duration_s: float | None) -> None:
        self.clips += 1
        licence = clip.licence or NO_LICENCE
        self.licences[licence] += 1
        if duration_s is None:
            self.unreadable += 1
        else:
            self.durations_s.append(duration_s)
            self.licence_ms[licence] += round(1000 * duration_s)
        self.captions_per_clip[len(clip.captions)] += 1
        for caption in clip.captions:
            found = words(caption)
            self.caption_words.append(len(found))
            self.captions[" ".join(found)] += 1
            self.vocabulary.update(found)


@dataclass(frozen=True)
class Table:
    """A title, column names and rows of text; all columns except the first hold numbers."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        return f"## {escape(self.title)}\n\n" + table(self.columns, self.rows, numbers=True)


def survey(
    manifests: Iterable[Path],
    progress: Progress = silent,
    workers: int | None = None,
) -> dict[str, SplitStatistics]:
    """Statistics by split. Only headers of the audio are read; unreadable clips are counted.

    ``progress`` gets clips; their total is unknown. Raises DataError: a manifest cannot be read.
    """
    splits: dict[str, SplitStatistics] = {}
    done = 0
    with ThreadPoolExecutor(workers or usable()) as pool:
        clips = chain.from_iterable(map(read_manifest, manifests))
        while batch := list(islice(clips, BATCH)):
            for clip, duration_s in zip(batch, pool.map(_duration_s, batch), strict=True):
                splits.setdefault(clip.split, SplitStatistics()).add(clip, duration_s)
            done += len(batch)
            progress("clips", done, UNKNOWN)
    return dict(sorted(splits.items(), key=lambda item: _order(item[0])))


def tables(splits: dict[str, SplitStatistics]) -> list[Table]:
    """Audio, captions, vocabulary and licences: a row per split, and one for all if several."""
    shown = dict(splits)
    trained = set(splits["train"].vocabulary) if "train" in splits else None
    if len(splits) > 1:
        shown["all"] = _sum(splits.values())
    audio = Table(
        "Audio",
        ("split", "clips", "unreadable", "hours", "shortest s", "median s", "longest s"),
        [
            (
                name,
                f"{s.clips:,}",
                f"{s.unreadable:,}",
                f"{sum(s.durations_s) / 3600:.2f}",
                *_range(s.durations_s, ".1f"),
            )
            for name, s in shown.items()
        ],
    )
    captions = Table(
        "Captions",
        ("split", "captions", "per clip", "different", "fewest words", "median", "most", "mean"),
        [
            (
                name,
                f"{len(s.caption_words):,}",
                _span(s.captions_per_clip),
                f"{len(s.captions):,}",
                *_range(s.caption_words, ".0f"),
                f"{statistics.fmean(s.caption_words):.1f}" if s.caption_words else "-",
            )
            for name, s in shown.items()
        ],
    )
    vocabulary = Table(
        "Vocabulary",
        ("split", "words", "different", "used once", "not in train"),
        [
            (
                name,
                f"{s.vocabulary.total():,}",
                f"{len(s.vocabulary):,}",
                f"{sum(count == 1 for count in s.vocabulary.values()):,}",
                "-" if trained is None else f"{len(s.vocabulary.keys() - trained):,}",
            )
            for name, s in shown.items()
        ],
    )
    total = _sum(splits.values())
    licences = Table(
        "Licences of the audio",
        ("licence", *splits, "clips", "hours"),
        [
            (
                licence,
                *(f"{s.licences[licence]:,}" for s in splits.values()),
                f"{clips:,}",
                f"{total.licence_ms[licence] / 3_600_000:.2f}",
            )
            for licence, clips in total.licences.most_common()
        ],
    )
    return [audio, captions, vocabulary, licences]


def markdown(splits: dict[str, SplitStatistics], plots: Sequence[Path] = ()) -> str:
    """The card as Markdown; ``plots`` are image files beside it."""
    parts = ["# Data card\n", *(table.markdown() for table in tables(splits))]
    parts += [f"![{path.stem.replace('_', ' ')}]({path.name})\n" for path in plots]
    return "\n".join(parts)


def _order(split: str) -> tuple[int, str]:
    """A sort key: train, val, test, then others."""
    return SPLIT_RANK.get(canonical_split(split), len(SPLIT_RANK)), split


def _duration_s(clip: Clip) -> float | None:
    try:
        whole_s = probe(clip.audio)[1]
    except AudioError:
        return None
    end_s = whole_s if clip.end_s is None else min(clip.end_s, whole_s)
    return max(0.0, end_s - (clip.start_s or 0.0))


def _sum(splits: Iterable[SplitStatistics]) -> SplitStatistics:
    total = SplitStatistics()
    for one in splits:
        total.clips += one.clips
        total.unreadable += one.unreadable
        total.durations_s += one.durations_s
        total.caption_words += one.caption_words
        for name in ("captions_per_clip", "captions", "vocabulary", "licences", "licence_ms"):
            getattr(total, name).update(getattr(one, name))
    return total


def _range(values: Sequence[float], form: str) -> list[str]:
    if not values:
        return ["-"] * 3
    return [format(f(values), form) for f in (min, statistics.median, max)]


def _span(counts: Counter[int]) -> str:
    """{5: 10} -> "5"; {1: 4, 5: 2} -> "1 to 5"."""
    low, high = min(counts, default=0), max(counts, default=0)
    return f"{low}" if low == high else f"{low} to {high}"
