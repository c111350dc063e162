"""Rows of a batch: what each has, whatever the task, and what makes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from auricle.batch.items import Item, Open
from auricle.batch.job import Failure, JobSpec
from auricle.errors import AudioError
from auricle.shards import Columns

if TYPE_CHECKING:
    from auricle.pipeline import Captioner

Beat: TypeAlias = Callable[[], None]
Rows: TypeAlias = Iterator[dict[str, Any]]

ANY: Columns = {
    "id": str,  # of the item
    "audio": str,
    "clip": str,  # its id in a manifest
    "error": str,  # one line; null if it is done
    "kind": str,  # of the failure: one of `Failure`; null if it is done
    "note": str,  # for the user, such as that the recording is cut short
    "audio_s": float,  # seconds that were heard
}


class Task(Protocol):
    """``COLUMNS``: of its rows. Raises ModelError: the model cannot be loaded."""

    COLUMNS: ClassVar[Columns]

    def __init__(self, job: JobSpec) -> None: ...

    def rows(self, items: Sequence[Item], opener: Open, batch_size: int, beat: Beat) -> Rows:
        """A row for each of ``items``, done or failed, in any order, each as soon as it is known.

        Raises MemoryError, or what torch raises: the memory is too small for ``batch_size``.
        """


def done(item: Item, audio_s: float, note: str | None = None) -> dict[str, Any]:
    """The row of an item, to which its task adds its columns."""
    return {**_named(item), "kind": None, "note": note, "audio_s": round(audio_s, 3)}


def failed(item: Item, kind: Failure, error: object) -> dict[str, Any]:
    """The row of an item that cannot be done."""
    told = str(error).removeprefix(f"{item.audio}: ")
    return {**_named(item), "error": told, "kind": kind, "audio_s": 0.0}


def unheard(item: Item, error: AudioError | None) -> dict[str, Any]:
    """The row of an item that cannot be opened or decoded."""
    return failed(item, "input" if item.kind == "broken" else "audio", error)


def _named(item: Item) -> dict[str, Any]:
    clip = json.loads(item.detail)["id"] if item.kind == "clip" else None
    return {"id": item.id, "audio": item.audio, "clip": clip}


def load_captioner(job: JobSpec) -> Captioner:
    from auricle.pipeline import Captioner

    return Captioner.from_pretrained(job.model, device=job.device, precision=job.precision)
