"""A task of batches for tests: what it does with a recording, the recording's name says."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from auricle.batch.items import Item, Open
from auricle.batch.job import JobSpec
from auricle.batch.local import run_local
from auricle.batch.rows import Beat, Rows, done, unheard
from auricle.batch.tasks import CaptionTask
from auricle.batch.worker import Worker
from auricle.errors import AudioError
from auricle.shards import Columns, read_folder

BATCH = 4  # more at once are too many for a recording called "large"


class ScriptedTask:
    """ "dead": the process ends; "hung": it never comes back; "once-…": only the first time;
    "fault": an error of the model; "large": too much memory in a batch; "huge": in any; "slow":
    takes 20 ms. Everything else gets its name as its caption. A file that is missing fails."""

    COLUMNS: ClassVar[Columns] = CaptionTask.COLUMNS

    def __init__(self, job: JobSpec) -> None:
        self._folder = Path(job.folder)

    def rows(self, items: Sequence[Item], opener: Open, batch_size: int, beat: Beat) -> Rows:
        for item in items:
            try:
                opened = opener(item)
            except AudioError as error:
                yield unheard(item, error)
                continue
            name = Path(item.audio).stem
            if not name.startswith("once-") or self._first(name):
                self._act(name.removeprefix("once-"), batch_size)
            yield done(item, 1.0) | {"caption": name, "content": opened.content}

    def _act(self, name: str, batch_size: int) -> None:
        if name.startswith("dead"):
            os._exit(3)
        if name.startswith("hung"):
            time.sleep(60)
        if name.startswith("fault"):
            raise ValueError("a fault")
        if name.startswith("huge") or (name.startswith("large") and batch_size > BATCH):
            raise MemoryError
        if name.startswith("slow"):
            time.sleep(0.02)

    def _first(self, name: str) -> bool:
        try:
            (self._folder / name).mkdir()
        except FileExistsError:
            return False
        return True


def scripted_worker(job: JobSpec) -> Worker:
    return Worker(job, ScriptedTask(job))


def scripted(workers: int = 1, timeout_s: float = 30.0) -> Any:
    """An engine whose workers do the scripted task."""
    return partial(run_local, workers=workers, timeout_s=timeout_s, start=scripted_worker)


def scripted_job(folder: Path, **changes: Any) -> JobSpec:
    return JobSpec(str(folder), **{"task": "caption", "model": "-", "digest": "-"} | changes)


def captions_of(folder: Path) -> dict[str, str | None]:
    """Caption, or "kind: error", by the name of each recording; each has one row."""
    found = {}
    for row in read_folder(folder):
        name = Path(row["audio"]).stem
        assert name not in found, f"{name} stands twice"
        found[name] = f"{row['kind']}: {row['error']}" if row["kind"] else row["caption"]
    return found


def write_files(folder: Path, names: Sequence[str]) -> Path:
    """Files that are no recordings, which the task does not mind."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.wav").write_bytes(name.encode())
    return folder
