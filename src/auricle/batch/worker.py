"""Workers: the model of a job, loaded once, which does chunk after chunk and commits their rows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from auricle.allocator import trim
from auricle.batch.folder import ChunkFiles
from auricle.batch.items import Item, Open, open_item
from auricle.batch.job import Chunk, ChunkDone, JobSpec
from auricle.batch.rows import Task, failed
from auricle.batch.tasks import TASKS
from auricle.errors import is_out_of_memory
from auricle.watch import silent

COMMIT_S = 30.0  # after so long, what is done of a chunk is committed
TOO_LARGE = "the memory is too small for it, even alone; cut it, or use a machine with more"


class Worker:
    """Does chunks of ``job``, by the ``task`` that it names.

    Raises ModelError, MissingDependencyError: the model cannot be loaded.
    """

    def __init__(self, job: JobSpec, task: Task | None = None) -> None:
        self._task, self._batch_size = task or TASKS[job.task](job), job.batch_size
        self._files = ChunkFiles(job)

    def do(
        self, chunk: Chunk, opener: Open = open_item, beat: Callable[[], None] = silent
    ) -> ChunkDone:
        """Hear the items of ``chunk`` that are not committed yet, and commit their rows, at the
        latest after `COMMIT_S`. When this returns, all are: a row for each, done or failed.

        ``opener``: called in threads; ``beat``: called while work goes on.

        Raises:
            OutputError: the rows cannot be written.
            Exception: a fault of the model, for which some recording is to blame.
        """
        work = _Work(chunk, self._files, beat)
        before = self._batch_size
        try:
            while items := work.left():
                if self._batch_size == 1:
                    items = items[:1]
                try:
                    for row in self._task.rows(items, opener, self._batch_size, beat):
                        work.take(row)
                except (MemoryError, RuntimeError) as error:
                    if not is_out_of_memory(error):
                        raise
                    error.__traceback__ = None  # its frames hold tensors
                    trim()
                    if self._batch_size > 1:
                        self._batch_size //= 2
                    else:
                        work.take(failed(items[0], "memory", TOO_LARGE))
                        self._batch_size = before  # this recording was to blame
        finally:
            work.commit()
        return work.report()


class _Work:
    """A chunk that is being done: what is left, what waits for its commit, and the counts."""

    def __init__(self, chunk: Chunk, files: ChunkFiles, beat: Callable[[], None]) -> None:
        self._chunk, self._files, self._beat = chunk, files, beat
        self._left = {one.id: one for one in chunk.items}
        self._waiting: list[Mapping[str, Any]] = []
        self._failed: Counter[str] = Counter()
        self._audio_s = 0.0
        self._began_s = self._committed_s = time.monotonic()
        for row in files.rows(chunk):
            self._count(row)

    def left(self) -> list[Item]:
        return [*self._left.values()]

    def take(self, row: Mapping[str, Any]) -> None:
        self._count(row)
        self._waiting.append(row)
        self._beat()
        if time.monotonic() - self._committed_s > COMMIT_S:
            self.commit()

    def commit(self) -> None:
        if self._waiting:
            self._files.write(self._chunk, self._waiting)
        self._waiting, self._committed_s = [], time.monotonic()

    def report(self) -> ChunkDone:
        return ChunkDone(
            self._chunk.name,
            len(self._chunk.items) - self._failed.total(),
            self._failed,
            self._audio_s,
            time.monotonic() - self._began_s,
        )

    def _count(self, row: Mapping[str, Any]) -> None:
        if self._left.pop(row["id"], None):
            self._failed += Counter(filter(None, [row["kind"]]))
            self._audio_s += row["audio_s"]
