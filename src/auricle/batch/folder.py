"""The folder of a batch: its plan, the rows that are committed, and the shards that these become.

    OUT/shard-00000.parquet …       done and failed items: each has one row, in one shard
    OUT/.job/job.json               what is done
    OUT/.job/items.parquet          the plan: every item of INPUT, made anew by every run
    OUT/.job/chunks/NAME-….parquet  rows of the chunk NAME, committed by a worker
    OUT/.job/lock                   of the one run

Every file appears by one rename. A kill between the writing of a shard and the deletion of its
chunk files leaves rows twice: those of the chunk files are dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np

from auricle.batch.items import Item
from auricle.batch.job import Chunk, JobSpec
from auricle.batch.tasks import columns_of
from auricle.errors import DataError, ModelError, OutputError
from auricle.extras import module
from auricle.files import atomic_writer, read_json, whole_file
from auricle.locks import lock
from auricle.shards import (
    JOB,
    copy_rows,
    give_back,
    number_of,
    read_rows,
    shards_in,
    write_rows,
    writing,
)
from auricle.watch import Progress, silent

INNER = ".job"
SHARD_ROWS, SHARD_BYTES = 10_000, 256 << 20
PLANNED = 4096  # items that are read and written at once
ID = "S16"  # of NumPy
PLAN = {  # names may hold bytes that are not Unicode
    **{"id": "binary", "audio": "binary", "kind": "string", "place": "binary"},
    **{"offset": "int64", "size": "int64", "detail": "binary"},
}


class ChunkFiles:
    """The rows that workers have committed and that are in no shard yet."""

    def __init__(self, job: JobSpec) -> None:
        self.folder = Path(job.folder, INNER, "chunks")
        self._suffix, self._columns = f".{job.format}", columns_of(job.task)

    def rows(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        """The id, kind and audio_s of the rows of ``chunk``."""
        for path in self.of(chunk.name):
            yield from read_rows(path, ("id", "kind", "audio_s"))

    def write(self, chunk: Chunk, rows: Sequence[Mapping[str, Any]]) -> None:
        """Commit rows of ``chunk``. Raises OutputError: they cannot be written."""
        path = self.folder / f"{chunk.name}-{secrets.token_hex(4)}{self._suffix}"
        write_rows(path, rows, self._columns)

    def of(self, name: str = "") -> list[Path]:
        """The files of a chunk, or of all."""
        return sorted(self.folder.glob(f"{name}*-*{self._suffix}"))


class Folder:
    """The output of ``job``, for the one run that writes it; a context manager.

    Attributes:
        failed: number of the rows of failures, by kind.

    Raises:
        DataError: another run is at work, or the folder is of another job.
        OutputError: it cannot be written.
    """

    failed: Counter[str]

    def __init__(self, job: JobSpec) -> None:
        self.path, self.inner = Path(job.folder), Path(job.folder, INNER)
        self.files = ChunkFiles(job)
        self._job, self._columns = job, columns_of(job.task)
        self._plan = self.inner / "items.parquet"
        self._ready: dict[Path, np.ndarray] = {}  # chunk files for the next shard, with their ids
        self._planned = self._in_shards = np.empty(0, ID)  # this one is sorted

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_alone(self.inner))
            self._claim()
            for part in self.files.folder.glob(".*.part"):
                part.unlink(missing_ok=True)
            self._count()
            self.merge_all()  # what was committed before the last run ended
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # The plan

    def plan(self, items: Iterable[Item], progress: Progress = silent) -> int:
        """Write the plan; return the number of different items."""
        arrow = module("pyarrow", "batch")
        parquet = module("pyarrow.parquet", "batch")
        schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in PLAN.items()])
        ids = []
        with (
            writing(self._plan),
            whole_file(self._plan) as part,
            parquet.ParquetWriter(part, schema) as file,
        ):
            for some in _some(items, PLANNED):
                rows = [_planned_row(one) for one in some]
                file.write_batch(arrow.RecordBatch.from_pylist(rows, schema=schema))
                ids.append(np.array([row["id"] for row in rows], ID))
                progress("items found", sum(map(len, ids)), 0)
        self._planned = np.concatenate([np.empty(0, ID), *ids])
        give_back()
        return len(np.unique(self._planned))

    def pending(self) -> Iterator[Item]:
        """The items of the plan that have no row, each once, in order."""
        parquet = module("pyarrow.parquet", "batch")
        first = np.zeros(len(self._planned), bool)
        first[np.unique(self._planned, return_index=True)[1]] = True
        first &= ~np.isin(self._planned, self._in_shards)
        place = 0
        with parquet.ParquetFile(self._plan) as file:
            for batch in file.iter_batches(PLANNED, use_threads=False):
                wanted = first[place : place + len(batch)]
                place += len(batch)
                if wanted.any():
                    yield from map(_item_of, batch.filter(wanted).to_pylist())

    def left(self) -> int:
        """Number of the items of the plan that have no row."""
        return int((~np.isin(np.unique(self._planned), self._in_shards)).sum())

    # Rows

    @property
    def rows(self) -> int:
        """Number of the rows in shards."""
        return len(self._in_shards)

    def take(self, name: str) -> None:
        """Let a chunk whose worker is done go into the next shard.

        Raises OutputError: it is due, and cannot be written; what is committed stays.
        """
        for path in self.files.of(name):
            self._put(path)

    def merge_all(self) -> None:
        """Write all that is committed as shards. Raises OutputError: as `take`."""
        for path in self.files.of():
            self._put(path)
        self._merge()

    def _put(self, path: Path) -> None:
        self._ready[path] = _ids(path)
        rows = sum(map(len, self._ready.values()))
        if rows >= SHARD_ROWS or sum(one.stat().st_size for one in self._ready) >= SHARD_BYTES:
            self._merge()

    def _merge(self) -> None:
        """Write the chunk files that were taken as one shard, and delete them."""
        ready, self._ready = self._ready, {}
        new = np.unique(np.concatenate([np.empty(0, ID), *ready.values()]))
        new = new[~np.isin(new, self._in_shards)]
        wanted = {bytes(one).ljust(16, b"\0") for one in new}

        def keep(rows: list[dict[str, Any]]) -> list[bool]:
            kept = []
            for row in rows:
                kept.append((one := bytes.fromhex(row["id"])) in wanted)
                if kept[-1]:
                    wanted.remove(one)
                    self.failed.update(filter(None, [row["kind"]]))
            return kept

        if wanted:
            copy_rows(ready, self._next_shard(), self._columns, ("id", "kind"), keep)
            self._in_shards = np.sort(np.concatenate([self._in_shards, new]))
        for path in ready:
            path.unlink()
        if ready:
            give_back()

    def forget_failed(self) -> None:
        """Erase the rows of failures, whose items are then to be done."""
        for path in shards_in(self.path):
            kept = [row["kind"] is None for row in read_rows(path, ("kind",))]
            if not any(kept):
                path.unlink()
            elif not all(kept):
                copy_rows(
                    [path],
                    path,
                    self._columns,
                    ("kind",),
                    lambda rows: [row["kind"] is None for row in rows],
                )
        self._count()

    def count_also(self, other: JobSpec) -> None:
        """Take what is committed in the folder of ``other``, which another run may write, as if it
        were here."""
        folder = Folder(other)
        for path in [*shards_in(folder.path), *folder.files.of()]:
            self._in_shards = np.union1d(self._in_shards, _ids(path))

    def _count(self) -> None:
        """Read which items are in shards, and how many of them failed."""
        self.failed = Counter()
        found = [np.empty(0, ID)]
        for path in shards_in(self.path):
            found.append(_ids(path, self.failed))
        self._in_shards = np.sort(np.concatenate(found))

    def _next_shard(self) -> Path:
        last = shards_in(self.path)[-1:]
        number = number_of(last[0]) + 1 if last else 0
        return self.path / f"shard-{number:05}.{self._job.format}"

    def _claim(self) -> None:
        """See that the folder is of this job, or new."""
        path, now = self.path / JOB, self._job.result
        if path.exists():
            try:
                before = read_json(path)
            except ModelError as error:
                raise DataError(f"{error}; or name another folder by --output") from error
            now = json.loads(json.dumps(now))
            if differ := [name for name in now if before.get(name) != now[name]]:
                told = ", ".join(f"{n}={before.get(n)!r}, now {now[n]!r}" for n in differ)
                raise DataError(
                    f"{self.path}: begun with {told}; give the same again, or name another folder"
                    " by --output"
                )
            return
        if shards_in(self.path):
            raise DataError(f"{self.path}: holds shards of something else; name another folder")
        try:
            self.files.folder.mkdir(parents=True, exist_ok=True)
            with atomic_writer(path) as file:
                file.write(json.dumps({"model": self._job.model, **now}, indent=1) + "\n")
        except OSError as error:
            raise _unwritable(self.path, error) from error


def _ids(path: Path, failed: Counter[str] | None = None) -> np.ndarray:
    """The ids in a file of rows; ``failed`` counts the kinds of its failures."""
    found = []
    for some in _some(read_rows(path, ("id", "kind")), PLANNED):
        found.append(np.array([bytes.fromhex(row["id"]) for row in some], ID))
        if failed is not None:
            failed.update(row["kind"] for row in some if row["kind"])
    return np.concatenate([np.empty(0, ID), *found])


def _some(items: Iterable[Any], count: int) -> Iterator[list[Any]]:
    items = iter(items)
    while some := list(islice(items, count)):
        yield some


def _planned_row(item: Item) -> dict[str, Any]:
    row = {name: getattr(item, name) for name in PLAN}
    return row | {
        "id": bytes.fromhex(item.id),
        **{name: os.fsencode(row[name]) for name in ("audio", "place", "detail")},
    }


def _item_of(row: dict[str, Any]) -> Item:
    text = {name: os.fsdecode(row[name]) for name in ("audio", "place", "detail")}
    return Item(**row | text | {"id": row["id"].hex()})


@contextlib.contextmanager
def _alone(inner: Path) -> Iterator[None]:
    """The only run with the folder, until its process ends, however it ends."""
    try:
        inner.mkdir(parents=True, exist_ok=True)
        file = (inner / "lock").open("ab")
    except OSError as error:
        raise _unwritable(inner.parent, error) from error
    with file:
        if not lock(file):
            raise DataError(
                f"{inner.parent}: another auricle batch works with it; wait for it to end, or name"
                " another folder by --output"
            )
        yield


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{folder}: cannot be written ({error.strerror}); allow it, or name another folder by"
        " --output"
    )
