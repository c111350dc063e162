"""The Ray engine: chunks are done by the nodes of a Ray cluster, or by a Ray of this machine alone.

    window of chunks ─► decode ─► model actors ─► reports
                        (tasks)   (commit rows)   (to the driver, as they come)

Tasks decode for actors with GPUs, which would wait for it. Actors without open recordings
themselves: tasks would take their processors, and Ray's copies of the sound a quarter of the speed.

Ray gives the chunk of a task or an actor that died to another one, without end. So that no
recording stops the job, attempts are noted, and a chunk that ends its processes is divided.

Ray's own checkpoints (`CheckpointConfig`) are not used. They note what the write at the end of a
pipeline has written. In Ray 2.60 one write task takes many blocks, so that a kill half-way had
written nothing; with a repartition before the write 160 of 200 rows were, and all stood once after
the resumption. But that makes a file of every block, holds every id in memory, and has no row for a
recording that ends its worker. Here an actor commits each chunk, in the files of every engine.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import sys
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from auricle.audio.load import load_audio
from auricle.batch.attempts import Attempts, ended_after
from auricle.batch.folder import INNER, ChunkFiles
from auricle.batch.items import Item, Opened, open_item
from auricle.batch.job import Chunk, ChunkDone, ChunkLost, JobSpec, Report, again
from auricle.batch.local import BEGIN_S, TIMEOUT_S
from auricle.batch.ray_cluster import Needs, connected, room
from auricle.errors import AuricleError, in_one_line
from auricle.extras import module
from auricle.processors import share, usable
from auricle.shards import give_back

if TYPE_CHECKING:
    import pyarrow as pa

WINDOW = 64  # chunks per actor of one run of Ray Data, whose driver keeps a little about each
ATTEMPTS = 2
DECODED_HZ, DECODED_S = 16_000, 30.0  # longer recordings are left to the actor, which reads parts
MISSING_S = 0.25  # of a recording that is cut short: less is not told of
ACTOR_BYTES = 2 << 30

Sounds: TypeAlias = "dict[str, Opened]"  # by id of the item


def run_ray(
    job: JobSpec,
    chunks: Iterable[Chunk],
    workers: int | None = None,
    timeout_s: float = TIMEOUT_S,
    *,
    address: str | None = None,
    memory_bytes: int = ACTOR_BYTES,
) -> Generator[Report]:
    """An `Engine`: actors, each with a model, a GPU where the cluster has any and else a processor,
    and ``memory_bytes`` that Ray keeps free for it.

    Args:
        workers: the most actors; by default, one per processor of this machine, or at an
            ``address``, as many as the cluster has room for.
        timeout_s: a process that is silent for so long ends itself.
        address: of a running cluster, such as ``auto`` on one of its nodes; by default, that of
            RAY_ADDRESS. If there is none, a Ray of this machine is started, and ended.

    Raises:
        ClusterError: there is no such cluster, or it cannot do the job.
        MissingDependencyError: Ray is not installed.
        AuricleError, OSError: those of a worker.
    """
    todo = iter(chunks)
    address = address or os.environ.get("RAY_ADDRESS")
    workers = workers or (None if address else usable())
    with connected(address, workers or 0) as ray:
        has_gpu = job.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1
        needs = Needs(int(has_gpu), memory_bytes)
        places = min(room(ray, job.folder, needs), workers or sys.maxsize)
        stages = _Stages(job, needs, timeout_s, places if not address else 1, workers or places)
        while window := [_rows(chunk=[chunk]) for chunk in islice(todo, WINDOW * places)]:
            shutil.rmtree(_notes(job), ignore_errors=True)
            _notes(job).mkdir()
            yield from stages.reports(window)
            give_back()


@dataclass(frozen=True)
class _Stages:
    """The pipeline of a window, with at least ``least`` actors and at most ``most``. A block is a
    chunk, so that each is committed, given again and reported alone."""

    job: JobSpec
    needs: Needs
    timeout_s: float
    least: int
    most: int

    def reports(self, window: list[pa.Table]) -> Iterator[Report]:
        """Reports, as they come. Raises what `_Actor` reports instead."""
        results = self._dataset(window).iter_batches(
            batch_size=None, batch_format="pyarrow", prefetch_batches=0
        )
        for table in results:
            for report in _values(table, "report"):
                if isinstance(report, Exception):
                    raise report
                yield report

    def _dataset(self, window: list[pa.Table]) -> Any:
        data = module("ray.data", "ray")
        each: dict[str, Any] = {"batch_size": 1, "batch_format": "pyarrow"}
        rows = data.from_arrow(window)  # no task reads it, which would need a processor
        rows.context.enable_progress_bars = False
        rows.context.print_on_execution_start = False
        rows.context.max_consecutive_actor_init_deaths = ATTEMPTS
        if self.needs.gpus:
            decode = partial(_decode, job=self.job, timeout_s=self.timeout_s)
            rows = rows.map_batches(decode, **self.needs.decoder, **each)
        return rows.map_batches(
            _Actor,
            fn_constructor_args=(self.job, self.timeout_s),
            compute=data.ActorPoolStrategy(min_size=self.least, max_size=self.most),
            **self.needs.actor,
            **each,
        )


def _decode(table: pa.Table, job: JobSpec, timeout_s: float) -> pa.Table:
    """Add the sounds of a chunk's items: of those that are short and can be decoded; and the id of
    the item whose opening ends processes, if there is one."""
    chunk: Chunk = _values(table, "chunk")[0]
    attempts = _attempts(job, "decode", chunk)
    sounds: Sounds = {}
    if attempts.number < ATTEMPTS:
        attempts.begin()
        for item in chunk.items:
            attempts.opens(item.id)
            with ended_after(timeout_s), contextlib.suppress(Exception):  # an actor meets it, too
                if opened := _decoded(item):
                    sounds[item.id] = opened
        attempts.succeeded()
    return _rows(chunk=[chunk], sounds=[(sounds, attempts.opened)])


def _decoded(item: Item) -> Opened | None:
    """``item`` with its whole sound, beside its bytes; None if it is long or damaged, or a section.

    Raises AudioError: it cannot be read.
    """
    opened = open_item(item)
    if not isinstance(opened.sound, dict):
        return None
    recording = load_audio(opened.sound, DECODED_HZ, end_s=DECODED_S)
    if recording.duration_s > DECODED_S or recording.missing_s > MISSING_S:
        return None
    decoded = {"array": recording.waveform, "sampling_rate": DECODED_HZ}
    return replace(opened, sound=opened.sound | decoded)


class _Actor:
    """A worker that does chunks, each a table of one row, perhaps with its sounds, and gives
    reports of them; or the error that no chunk could escape."""

    def __init__(self, job: JobSpec, timeout_s: float) -> None:
        self._job, self._timeout_s = job, timeout_s
        self._error: Exception | None = None
        share(job.threads)
        with ended_after(max(BEGIN_S, timeout_s)):
            try:
                from auricle.batch.worker import Worker

                self._worker = Worker(job)
            except (AuricleError, OSError) as error:
                self._error = error

    def __call__(self, table: pa.Table) -> pa.Table:
        (chunk,) = _values(table, "chunk")
        decoded = "sounds" in table.column_names
        sounds, suspect = _values(table, "sounds")[0] if decoded else ({}, "")
        reports: list[Any] = [self._error]
        if not self._error:
            try:
                reports = [*self._reports(chunk, sounds, suspect, whole=True)]
            except (AuricleError, OSError) as error:
                reports = [error]
        return _rows(report=reports)

    def _reports(
        self, chunk: Chunk, sounds: Sounds, suspect: str = "", whole: bool = False
    ) -> Iterator[Report]:
        """Do ``chunk``; or, if that has ended processes, what is left of it in smaller ones: of a
        ``whole`` one, the recording that was opened last alone and the others; else halves."""
        attempts = _attempts(self._job, "hear", chunk)
        if attempts.number < ATTEMPTS and not suspect:
            yield self._do(chunk, sounds, attempts)
            return
        suspect = suspect or attempts.opened * whole
        lost = ChunkLost(chunk, attempts.reason, (suspect,))
        if len(chunk.items) == 1:
            yield replace(lost, chunk=replace(chunk, losses=ATTEMPTS))
            return
        committed = {row["id"] for row in ChunkFiles(self._job).rows(chunk)}
        if kept := tuple(item for item in chunk.items if item.id in committed):
            yield self._worker.do(replace(chunk, items=kept))
        for part in again(lost, [item for item in chunk.items if item.id not in committed]):
            yield from self._reports(part, sounds)

    def _do(self, chunk: Chunk, sounds: Sounds, attempts: Attempts) -> ChunkDone:
        def opener(item: Item) -> Opened:
            if item.id in sounds:
                return sounds[item.id]
            attempts.opens(item.id)
            return open_item(item)

        attempts.begin()
        with ended_after(self._timeout_s) as beat:
            try:
                done = self._worker.do(chunk, opener, beat)
            except (AuricleError, OSError):
                raise
            except Exception as error:  # of a GPU: this process may be of no more use
                attempts.failed(in_one_line(error))
                os._exit(1)
        attempts.succeeded()
        return done


def _rows(**columns: list[Any]) -> pa.Table:
    """A table of any values."""
    arrow = module("pyarrow", "ray")
    return arrow.table(
        {
            name: arrow.array([pickle.dumps(one, 5) for one in values], arrow.large_binary())
            for name, values in columns.items()
        }
    )


def _values(table: pa.Table, name: str) -> list[Any]:
    return [pickle.loads(cell.as_buffer()) for cell in table[name]]


def _attempts(job: JobSpec, stage: str, chunk: Chunk) -> Attempts:
    return Attempts(_notes(job) / f"{stage}-{chunk.name}")


def _notes(job: JobSpec) -> Path:
    return Path(job.folder, INNER, "attempts")
