"""The task `embed`: what `auricle index` stores of each recording."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from auricle.audio.header import FileHeader, probe
from auricle.audio.load import Recording
from auricle.audio.lookahead import in_order
from auricle.batch.items import Item, Open
from auricle.batch.job import JobSpec
from auricle.batch.rows import ANY, Beat, Rows, done, load_captioner, unheard
from auricle.data.clip import Clip
from auricle.errors import AudioError
from auricle.search.rows import Described, Indexed
from auricle.shards import Columns

if TYPE_CHECKING:
    from auricle.search.hear import HeardFile

SOUND: Columns = {
    **{"start_s": float, "end_s": float, "caption": str, "confidence": float, "score": float},
    **{"tags": [str], "segment": bool, "vector": bytes},
}


class EmbedTask:
    """A file of an index with its sounds; ``print`` is its fingerprint, uint32, a ``vector``
    float16. ``section``: it is a part of a file, or a mix."""

    COLUMNS: ClassVar[Columns] = ANY | {
        **{"section": bool, "size": int, "mtime_ns": int, "content": str, "duration_s": float},
        **{"format": str, "print": bytes, "sounds": [SOUND]},
    }

    def __init__(self, job: JobSpec) -> None:
        self._captioner = load_captioner(job)
        self._decoding = self._captioner.decoding(**job.decoding)

    def rows(self, items: Sequence[Item], opener: Open, batch_size: int, beat: Beat) -> Rows:
        from auricle.search.hear import Listener

        by_id = {one.id: one for one in items}
        sounds: dict[str, Any] = {}
        listener = Listener(self._captioner, self._decoding, batch_size, sounds.__getitem__)
        long: list[Indexed] = []
        failures: list[dict[str, Any]] = []

        def short() -> Iterator[Indexed]:
            for one in in_order(partial(_examined, opener), items):
                if one.error:
                    failures.append(unheard(one.item, one.error) | _columns(one.file))
                    continue
                sounds[one.item.id] = one.sound
                if one.file.duration_s > listener.longest_s + 0.05:
                    long.append(one.file)
                else:
                    yield one.file

        for heard in listener.short(short()):
            name = heard.file.audio
            yield _row(by_id[name], heard, sounds.pop(name))
        yield from failures
        for file in long:
            heard = listener.long(file, lambda *_: beat())
            yield _row(by_id[file.audio], heard, sounds.pop(file.audio))


class _Examined(NamedTuple):
    """``file``: its ``audio`` is the id of the item."""

    item: Item
    file: Indexed
    sound: Any = None
    error: AudioError | None = None


def _examined(opener: Open, item: Item) -> _Examined:
    file = Indexed(item.id, -1, -1, "")
    try:
        found = opener(item)
        sound: Any = found.sound
        if isinstance(sound, Clip) and not _is_section(sound):
            sound = sound.audio
        size, mtime_ns = _stamp(item, sound)
        file = replace(file, size=size, mtime_ns=mtime_ns, content=found.content)
        header = _header(item, sound)
    except AudioError as error:
        return _Examined(item, file, error=error)
    return _Examined(item, replace(file, duration_s=header.duration_s, format=header.format), sound)


def _header(item: Item, sound: Any) -> FileHeader:
    if isinstance(sound, Recording):  # decoded elsewhere
        return FileHeader(sound.sample_rate_hz, sound.duration_s, "")
    if isinstance(sound, Clip):
        return probe(sound.audio, item.audio)._replace(duration_s=0.0)  # it is heard as one
    return probe(sound["bytes"] if isinstance(sound, dict) else sound, item.audio)


def _is_section(clip: Clip) -> bool:
    return bool(clip.start_s or clip.end_s or clip.mix)


def _stamp(item: Item, sound: Any) -> tuple[int, int]:
    """Size in bytes and time in ns of a file; of anything else only the size, if it is known."""
    if item.kind in ("file", "clip"):
        try:
            status = os.stat(item.audio)  # noqa: PTH116
            return status.st_size, status.st_mtime_ns
        except OSError:
            return -1, -1
    return len(sound["bytes"]) if isinstance(sound, dict) else item.size, 0


def _row(item: Item, heard: HeardFile, sound: Any) -> dict[str, Any]:
    if heard.error or not heard.sounds:
        return unheard(item, heard.error) | _columns(heard.file)
    whole = heard.sounds[0]
    seconds = whole.end_s - whole.start_s
    return done(item, seconds, heard.note) | {
        **_columns(heard.file),
        "section": isinstance(sound, Clip),
        "duration_s": seconds,
        "print": None if heard.words is None else heard.words.astype("<u4").tobytes(),
        "sounds": [_sound(one) for one in heard.sounds],
    }


def _columns(file: Indexed) -> dict[str, Any]:
    names = ("size", "mtime_ns", "content", "duration_s", "format")
    return {name: getattr(file, name) for name in names}


def _sound(one: Described) -> dict[str, Any]:
    vector = None if one.vector is None else one.vector.astype("<f2").tobytes()
    return {name: getattr(one, name) for name in SOUND} | {"vector": vector}
