"""Items: single recordings of a batch, wherever their bytes lie; and their opening."""

from __future__ import annotations

import io
import json
import os
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias

from auricle.audio.source import CHUNK, IN_MEMORY, digest, digest_of, read_hashed
from auricle.errors import AudioError, AuricleError, reason
from auricle.extras import module

if TYPE_CHECKING:
    from auricle.hearing import Source

Kind: TypeAlias = Literal["file", "member", "cell", "address", "clip", "broken"]


@dataclass(frozen=True, slots=True)
class Item:
    """A recording of INPUT.

    Attributes:
        id: 32 hexadecimal digits, of its kind, place and version; not of its content, which would
            be read twice.
        audio: its name in records and messages: its absolute path or address.
        kind: what ``place`` is, and what more is needed:
            file: a path.
            member: the path or address of a tar, which has the bytes ``offset`` to ``offset`` +
                ``size``.
            cell: the path or address of a Parquet file; row ``offset`` of its column ``detail``.
            address: what fsspec opens.
            clip: the folder of a manifest, whose line is ``detail``.
            broken: where INPUT has something that is no recording; ``detail`` tells the reason.
    """

    id: str
    audio: str
    kind: Kind
    place: str
    offset: int = 0
    size: int = -1
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Opened:
    """An item as a captioner takes it. ``content``: the BLAKE2b of its bytes."""

    sound: Source
    content: str


Open: TypeAlias = Callable[[Item], Opened]


def item_of(
    kind: Kind,
    audio: str,
    place: str,
    version: object = "",
    *,
    offset: int = 0,
    size: int = -1,
    detail: str = "",
) -> Item:
    """An item with its id. ``version``: such as size and time, which change with the content."""
    parts = json.dumps([kind, place, offset, size, detail, version])
    return Item(
        blake2b(parts.encode(), digest_size=16).hexdigest(),
        audio,
        kind,
        place,
        offset,
        size,
        detail,
    )


def open_item(item: Item) -> Opened:
    """The item, read as far as it must be; called in the reading threads.

    Raises AudioError: it cannot be read.
    """
    match item.kind:
        case "file":
            content, sound = read_hashed(Path(item.place), item.audio)
            return Opened(sound, content)
        case "clip":
            from auricle.data.manifest import parse_clip

            clip = parse_clip(item.detail.encode(), Path(item.place))
            return Opened(clip, digest_of(clip.audio, item.audio))
        case "broken":
            raise AudioError(item.detail)
    try:
        if item.kind == "cell":
            data = _cell(item)
        else:
            file = open_place(item.place)
            if item.kind == "member":
                if file.seek(0, os.SEEK_END) < item.offset + item.size:
                    raise AudioError(f"{item.audio}: cut short, as its tar is; copy that again")
                file = io.BufferedReader(_Span(file, item))
            file.seek(0, os.SEEK_END)
            size = file.tell()
            file.seek(0)
            if size > IN_MEMORY:
                return Opened(file, _digest(file))
            with file:
                data = file.read()
    except (AuricleError, MemoryError):
        raise
    except Exception as error:  # of any file system
        raise AudioError(
            f"{item.audio}: cannot be read ({reason(error)}); check the disk or the connection"
        ) from error
    return Opened({"bytes": data, "path": item.audio}, digest(data).hexdigest())


def _digest(file: BinaryIO) -> str:
    found = digest()
    while piece := file.read(CHUNK):
        found.update(piece)
    return found.hexdigest()


class _Span(io.RawIOBase):
    """The bytes of a member of an archive."""

    def __init__(self, archive: BinaryIO, item: Item) -> None:
        self._archive, self._first, self._size, self._place = archive, item.offset, item.size, 0
        self.name = item.audio

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = max(0, offset + (0, self._place, self._size)[whence])
        return self._place

    def readinto(self, buffer: Any) -> int:
        self._archive.seek(self._first + self._place)
        data = self._archive.read(min(len(buffer), max(0, self._size - self._place)))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def close(self) -> None:
        self._archive.close()
        super().close()


def open_place(place: str) -> Any:
    """The file at a path or an address of fsspec, open for reading bytes.

    Raises OSError, and what fsspec raises.
    """
    if "://" in place:
        return module("fsspec", "batch").open(place, "rb").open()
    return open(place, "rb")  # noqa: PTH123  (the caller closes it)


def _cell(item: Item) -> bytes:
    group, first = _row_group(item.place, item.offset)
    with _LOCK:  # threads want cells of one group, which is read once
        column = _cells(item.place, group, item.detail)
    value = column[item.offset - first].as_py()
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise AudioError(f"{item.audio}: no bytes in this row; give it a recording")
    return data


_LOCK = Lock()


@lru_cache(maxsize=64)
def _first_rows(place: str) -> tuple[int, ...]:
    """The number of the first row of each row group, and that of all rows."""
    import pyarrow.parquet as pq

    with open_place(place) as file:
        about = pq.ParquetFile(file).metadata
    firsts = [0]
    for group in range(about.num_row_groups):
        firsts.append(firsts[-1] + about.row_group(group).num_rows)
    return tuple(firsts)


def _row_group(place: str, row: int) -> tuple[int, int]:
    """The row group that has ``row``, and its first row."""
    firsts = _first_rows(place)
    group = bisect_right(firsts, row) - 1
    return group, firsts[group]


@lru_cache(maxsize=2)
def _cells(place: str, group: int, column: str) -> Any:
    import pyarrow.parquet as pq

    with open_place(place) as file:
        return pq.ParquetFile(file).read_row_group(group, columns=[column]).column(column)
