"""Estimates: the hours, bytes and money of a batch, measured on a sample of its items."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from auricle.batch.folder import Folder
from auricle.batch.items import Item
from auricle.batch.job import ChunkDone, Engine, JobSpec, chunks_of
from auricle.batch.run import BatchWatch
from auricle.errors import OutputError
from auricle.shards import shards_in

CHUNKS, BATCHES = 4, 2  # chunks of each worker, the first to warm up; batches in each


@dataclass(frozen=True)
class Estimate:
    """``sampled``: items whose work was measured, of which ``failed`` gave no result.

    Attributes:
        total: items of INPUT.
        left: those that have no row yet.
        each_s: seconds of one worker for an item.
        audio_s: seconds of sound that are heard of an item.
        each_bytes: of a row, in a shard.
    """

    total: int
    left: int
    workers: int
    sampled: int
    failed: int
    each_s: float
    audio_s: float
    each_bytes: float

    @property
    def worker_s(self) -> float:
        return self.left * self.each_s

    @property
    def hours(self) -> float:
        return self.worker_s / self.workers / 3600

    @property
    def size(self) -> float:
        return self.left * self.each_bytes

    def money(self, price: float) -> float:
        """``price``: of a worker's hour."""
        return price * self.worker_s / 3600


def estimate(
    job: JobSpec, items: Iterable[Item], engine: Engine, workers: int, watch: BatchWatch
) -> Estimate:
    """Do a sample of what is left of ``items``, all over them, in a folder that is deleted.

    Raises AuricleError: as `run_batch`.
    """
    with tempfile.TemporaryDirectory(prefix=".estimate-", dir=_parent(job.folder)) as place:
        trial = replace(job, folder=place)
        with Folder(trial) as folder:
            total = folder.plan(items, watch.progress)
            folder.count_also(job)
            left = folder.left()
            size = BATCHES * job.batch_size
            step = max(1, left // (CHUNKS * workers * size))
            sample = islice(folder.pending(), 0, None, step)
            chunks = list(islice(chunks_of(sample, size), CHUNKS * workers))
            warm = {one.name for one in chunks[:workers]} if len(chunks) > workers else ()
            reports = []
            with contextlib.closing(engine(trial, chunks)) as found:
                for number, report in enumerate(found, 1):
                    watch.progress("sample", number, len(chunks))
                    if isinstance(report, ChunkDone):
                        folder.take(report.name)
                        reports.append(report)
            folder.merge_all()
            rows = sum(one.items for one in reports)
            written = sum(path.stat().st_size for path in shards_in(Path(place)))
            measured = [one for one in reports if one.name not in warm]
            sampled = sum(one.items for one in measured)
            return Estimate(
                total,
                left,
                workers,
                sampled,
                sum(sum(one.failed.values()) for one in measured),
                sum(one.took_s for one in measured) / max(1, sampled),
                sum(one.audio_s for one in measured) / max(1, sampled),
                written / max(1, rows),
            )


def _parent(folder: str) -> Path:
    """The nearest folder around ``folder`` that can be written; workers of a cluster reach it, too.

    Raises OutputError: there is none.
    """
    for one in Path(folder).parents:
        if os.access(one, os.W_OK):
            return one
    raise OutputError(f"{folder}: no folder around it can be written; name another by --output")
