"""Tasks: what is done with the items of a chunk, and the columns of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, get_type_hints

from auricle.batch.items import Item, Open
from auricle.batch.job import Failure, JobSpec, TaskName
from auricle.errors import AudioError
from auricle.records import Caption
from auricle.shards import Columns

if TYPE_CHECKING:
    from auricle.pipeline import Captioner

Beat = Callable[[], None]
Rows = Iterator[dict[str, Any]]

ANY = {
    "id": str,
    "audio": str,
    "error": str,  # null, or one line
    "kind": str,  # of the failure: one of `Failure`
    "audio_s": float,  # that were heard
    "note": str,  # for the user, such as that the recording is cut short
}
HEARD = {"content": str}  # BLAKE2b of the bytes
RECORD = {name: kind for name, kind in get_type_hints(Caption).items() if name != "audio"}


class Task(Protocol):
    """``COLUMNS``: of its rows. Raises ModelError: the model cannot be loaded."""

    COLUMNS: ClassVar[Columns]

    def __init__(self, job: JobSpec) -> None: ...

    def rows(self, items: Sequence[Item], opener: Open, batch_size: int, beat: Beat) -> Rows:
        """A row for each of ``items``, done or failed, in any order, each as soon as it is known.

        Raises MemoryError, or what torch raises: the memory is too small for ``batch_size``.
        """


def failed(item: Item, kind: Failure, error: object) -> dict[str, Any]:
    """The row of an item that cannot be done."""
    told = str(error).removeprefix(f"{item.audio}: ").removeprefix(f"{item.place}: ")
    return {"id": item.id, "audio": item.audio, "error": told, "kind": kind, "audio_s": 0.0}


def _unheard(item: Item, error: AudioError | None) -> dict[str, Any]:
    return failed(item, "input" if item.kind == "broken" else "audio", error)


class CaptionTask:
    """A caption of each recording: its record."""

    COLUMNS: ClassVar[Columns] = ANY | HEARD | RECORD

    def __init__(self, job: JobSpec) -> None:
        self._captioner = _captioner(job)
        self._decoding = self._captioner.decoding(**job.decoding)

    def rows(self, items: Sequence[Item], opener: Open, batch_size: int, beat: Beat) -> Rows:
        contents: dict[str, str] = {}

        def sound(item: Item) -> Any:
            opened = opener(item)
            contents[item.id] = opened.content
            return opened.sound

        for found in self._captioner.stream(
            items,
            self._decoding,
            audio=sound,
            batch_size=batch_size,
            progress=lambda *_: beat(),
        ):
            item, caption = found.source, found.caption
            if caption is None:
                yield _unheard(item, found.error)
                continue
            record = {name: getattr(caption, name) for name in RECORD}
            yield record | {
                "id": item.id,
                "audio": item.audio,
                "kind": None,
                "audio_s": round(caption.end_s - caption.start_s, 3),
                "note": found.heard.note,
                "content": contents[item.id],
            }


TASKS: dict[TaskName, type[Task]] = {"caption": CaptionTask}


def columns_of(task: TaskName) -> Columns:
    """The columns of a task's rows."""
    return TASKS[task].COLUMNS


def _captioner(job: JobSpec) -> Captioner:
    from auricle.pipeline import Captioner

    return Captioner.from_pretrained(job.model, device=job.device, precision=job.precision)
