"""Tasks: what is done with the items of a chunk, and the columns of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, get_type_hints

from auricle.batch.embed import EmbedTask
from auricle.batch.features import FeaturesTask
from auricle.batch.items import Item, Open
from auricle.batch.job import JobSpec, TaskName
from auricle.batch.rows import ANY, Beat, Rows, Task, done, load_captioner, unheard
from auricle.errors import AudioError
from auricle.records import Caption
from auricle.shards import Columns

if TYPE_CHECKING:
    from auricle.hearing import Source

RECORD: Columns = {name: kind for name, kind in get_type_hints(Caption).items() if name != "audio"}


class CaptionTask:
    """The caption of each recording: its record."""

    COLUMNS: ClassVar[Columns] = ANY | {"content": str} | RECORD

    def __init__(self, job: JobSpec) -> None:
        self._captioner = load_captioner(job)
        self._decoding = self._captioner.decoding(**job.decoding)

    def rows(self, items: Sequence[Item], opener: Open, batch_size: int, beat: Beat) -> Rows:
        contents: dict[str, str] = {}

        def sound(item: Item) -> Source:
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
                yield unheard(item, found.error)
                continue
            row = done(item, caption.end_s - caption.start_s, found.heard.note)
            row |= {name: getattr(caption, name) for name in RECORD}
            yield row | {"content": contents[item.id]}


class TimelineTask:
    """The timed captions of each recording, without their candidates."""

    CAPTION: ClassVar[Columns] = {n: kind for n, kind in RECORD.items() if n != "candidates"}
    COLUMNS: ClassVar[Columns] = ANY | {"content": str, "captions": [CAPTION]}

    def __init__(self, job: JobSpec) -> None:
        self._captioner = load_captioner(job)
        self._decoding = self._captioner.decoding(**job.decoding)

    def rows(self, items: Sequence[Item], opener: Open, batch_size: int, beat: Beat) -> Rows:
        for item in items:
            try:
                opened = opener(item)
                timeline = self._captioner.timeline(
                    opened.sound,
                    decoding=self._decoding,
                    batch_size=batch_size,
                    progress=lambda *_: beat(),
                )
                captions = [{n: getattr(one, n) for n in self.CAPTION} for one in timeline]
            except AudioError as error:
                yield unheard(item, error)
                continue
            row = done(item, timeline.sound.heard_s, timeline.note)
            yield row | {"content": opened.content, "captions": captions}


TASKS: dict[TaskName, type[Task]] = {
    "caption": CaptionTask,
    "timeline": TimelineTask,
    "features": FeaturesTask,
    "embed": EmbedTask,
}


def columns_of(task: TaskName) -> Columns:
    """The columns of a task's rows."""
    return TASKS[task].COLUMNS
