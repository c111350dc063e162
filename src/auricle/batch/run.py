"""The run of a batch: its plan, what is pending, the engine's rounds, and the shards."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from auricle.batch.folder import Folder
from auricle.batch.items import Item
from auricle.batch.job import (
    CHUNK,
    Chunk,
    ChunkDone,
    ChunkLost,
    Engine,
    JobSpec,
    again,
    chunk_of,
    chunks_of,
)
from auricle.batch.rows import failed
from auricle.errors import DataError
from auricle.watch import Note, silent


@dataclass(frozen=True)
class Summary:
    """What stands in the folder: ``done`` and ``failed`` items, these by kind; ``left``: those of
    INPUT that have no row yet; ``new``: rows of this run; ``audio_s``: seconds heard in it."""

    done: int
    failed: Counter[str]
    left: int
    new: int
    audio_s: float

    def __str__(self) -> str:
        parts = [f"{self.done:,} done", told(self.failed), f"{self.left:,} left" * bool(self.left)]
        return "; ".join(filter(None, parts))


@dataclass(frozen=True)
class BatchWatch:
    """``note`` gets a line for the user; ``progress`` a stage, what is done, its total or 0, and
    perhaps more in words."""

    note: Note = silent
    progress: Callable[..., None] = silent


def run_batch(
    job: JobSpec,
    items: Iterable[Item],
    engine: Engine,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    limit: int | None = None,
    chunk: int = CHUNK,
    watch: BatchWatch | None = None,
) -> Summary:
    """Do ``job`` with those of ``items`` that have no row in its folder yet.

    Args:
        resume: the folder may have rows. ``retry_failed``: and those of failures are done again.
        limit: the most items of this run.
        chunk: the items that a worker takes and commits at once.

    Raises:
        DataError: the folder has rows, but is not to be resumed, or is another job's.
        OutputError: it cannot be written; what is committed stays.
        AuricleError: what ends every worker: the model cannot be loaded.
    """
    watch = watch or BatchWatch()
    with Folder(job) as folder:
        if folder.rows and not resume:
            raise DataError(
                f"{job.folder}: has {folder.rows:,} rows of this job; go on with --resume, or name"
                " another folder by --output"
            )
        if retry_failed:
            folder.forget_failed()
        folder.plan(items, watch.progress)
        tally = _Tally(folder, watch)
        try:
            _rounds(job, folder, chunks_of(islice(folder.pending(), limit), chunk), engine, tally)
        except KeyboardInterrupt:
            folder.merge_all()
            raise
        folder.merge_all()
        return tally.summary(folder.left())


def _rounds(
    job: JobSpec, folder: Folder, chunks: Iterable[Chunk], engine: Engine, tally: _Tally
) -> None:
    """Do ``chunks``, then, in smaller ones, those that were lost, until none is."""
    while True:
        lost: list[Chunk] = []
        with contextlib.closing(engine(job, chunks)) as reports:
            for report in reports:
                if isinstance(report, ChunkDone):
                    folder.take(report.name)
                    tally.add(report)
                else:
                    lost += _after_loss(folder, report, tally)
        if not lost:
            return
        chunks = lost


def _after_loss(folder: Folder, lost: ChunkLost, tally: _Tally) -> Iterator[Chunk]:
    """The chunks that are tried next; what of the lost one is committed counts, and a recording
    that is to blame fails."""
    chunk = lost.chunk
    committed = {row["id"]: row for row in folder.files.rows(chunk)}
    left = [one for one in chunk.items if one.id not in committed]
    tally.add_rows(committed.values())
    folder.take(chunk.name)
    chunks = again(lost, left)
    if left and not chunks:
        row = failed(left[0], "crash", f"{lost.reason}, twice; convert it, for example to wav")
        blamed = chunk_of(left)
        folder.files.write(blamed, [row])
        folder.take(blamed.name)
        tally.add_rows([row])
    yield from chunks


class _Tally:
    """The counts of a run, which ``watch`` is told."""

    def __init__(self, folder: Folder, watch: BatchWatch) -> None:
        self._watch = watch
        self._before = self._over = folder.rows
        self._total = folder.rows + folder.left()
        self._failed, self._audio_s = Counter(folder.failed), 0.0
        self._tell()

    def add(self, report: ChunkDone) -> None:
        self._count(report.items, report.failed, report.audio_s)

    def add_rows(self, rows: Iterable[dict[str, Any]]) -> None:
        rows = list(rows)
        kinds = Counter(row["kind"] for row in rows if row["kind"])
        self._count(len(rows), kinds, sum(row["audio_s"] for row in rows))

    def _count(self, over: int, failed: Mapping[str, int], audio_s: float) -> None:
        self._over += over
        self._failed.update(failed)
        self._audio_s += audio_s
        if over:
            self._tell()

    def _tell(self) -> None:
        self._watch.progress("recordings", self._over, self._total, told(self._failed))

    def summary(self, left: int) -> Summary:
        return Summary(
            self._over - self._failed.total(),
            self._failed,
            left,
            self._over - self._before,
            self._audio_s,
        )


def told(failed: Mapping[str, int]) -> str:
    """ "3 failed: 2 audio, 1 crash"; empty if none has."""
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in Counter(failed).most_common())
    return f"{sum(failed.values()):,} failed: {kinds}" if kinds else ""
