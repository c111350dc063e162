"""Batches of short recordings, for tests."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from auricle.batch.items import Item, item_of
from auricle.batch.job import JobSpec
from auricle.shards import read_rows, shards_in
from tests.helpers.sounds import tone


def write_recordings(folder: Path, count: int, duration_s: float = 0.5) -> Path:
    """Different tones in noise."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).normal(0, 0.05, round(duration_s * 16_000))
    for number in range(count):
        sound = tone(duration_s, frequency_hz=200 + 20 * number) + noise
        soundfile.write(folder / f"{number:04}.wav", sound.astype(np.float32), 16_000)
    return folder


def items_in(folder: Path) -> list[Item]:
    return [item_of("file", path.name, os.fspath(path)) for path in sorted(folder.iterdir())]


def job_in(folder: Path, **changes) -> JobSpec:
    """Captions of the smallest kind, by the bundled model."""
    (folder / ".job" / "chunks").mkdir(parents=True, exist_ok=True)
    decoding = {"candidates": 1, "seed": 0}
    return JobSpec(os.fspath(folder), "caption", "tiny", "", decoding, device="cpu", **changes)


def rows_in(folder: Path) -> Iterator[dict]:
    for path in shards_in(folder):
        yield from read_rows(path)


def audio_counts(folder: Path) -> Counter[str]:
    """How often each recording stands in the shards."""
    return Counter(row["audio"] for row in rows_in(folder))


def committed(folder: Path) -> int:
    """The rows that stand in chunk files or shards while a batch is at work."""
    files = [*shards_in(folder), *(folder / ".job" / "chunks").glob("*.parquet")]
    return sum(sum(1 for _ in read_rows(path, ("id",))) for path in files if path.exists())
