"""Inputs: INPUT of a batch -> its items, one by one, however many they are.

    a folder ──► recordings, and what is in its tars and Parquet files
    manifest.jsonl ──► clips    shard-{000..999}.tar ──► members    rows.parquet ──► cells, paths

Each can be an address that fsspec reads, save a manifest. What is no recording becomes an item that
is broken, which fails alone.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from auricle.audio.find import SUFFIXES, files_below, find_audio_files
from auricle.batch.items import Item, item_of, open_place
from auricle.data.manifest import read_lines, to_json
from auricle.errors import AuricleError, DataError, reason
from auricle.extras import module
from auricle.shards import JOB

MANIFESTS = (".jsonl", ".ndjson")
ARCHIVES = {".tar", ".parquet"}
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
COLUMNS = ("audio", "path", "file", "file_name", "url", "bytes")  # the first that is there
BRACES = re.compile(r"\{([^{}]*)\}")
WILD = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class _Place:
    """A file of INPUT: its absolute path or address, and what changes with its content."""

    place: str
    version: Any

    @property
    def suffix(self) -> str:
        return Path(self.place).suffix.lower()


def items_of(text: str) -> Iterator[Item]:
    """The items of INPUT.

    Raises:
        DataError: it is nothing that can be read.
        MissingDependencyError: its file system needs a package.
    """
    is_empty = True
    for one in [text] if os.path.lexists(text) else _expanded(text):
        if one.lower().endswith(COMPRESSED):
            raise DataError(
                f"{one}: a compressed tar, of which no part can be read alone; unpack it, for"
                " example with gunzip"
            )
        for item in _of_address(one) if "://" in one else _of_path(one):
            is_empty = False
            yield item
    if is_empty:
        raise DataError(f"{text}: no recording in it (wav, flac, ogg, mp3, m4a …, tar, parquet)")


def _of_path(text: str) -> Iterator[Item]:
    path = Path(text)
    if text.lower().endswith(MANIFESTS):
        yield from _clips(path)
    elif path.is_dir():
        for found in files_below(path, SUFFIXES | ARCHIVES):
            if found.error or not found.path:
                yield _broken(found.name, found.reason(found.error))
            elif not (found.path.parent / JOB).is_file():  # no shard of a batch
                yield from _of_file(_local(found.name))
    elif path.suffix.lower() in ARCHIVES:
        if not path.is_file():
            raise DataError(f"{text}: no such file; check the path")
        yield from _of_file(_local(text))
    else:
        several = find_audio_files([text])
        if several[0].error and not any(one.path for one in several):
            raise DataError(str(several[0].error))
        for found in several:
            if found.error or not found.path:
                yield _broken(found.name, found.reason(found.error))
            else:
                yield from _of_file(_local(found.name))


def _of_address(address: str) -> Iterator[Item]:
    if address.lower().endswith(MANIFESTS):
        raise DataError(f"{address}: a manifest must be a file of this machine; copy it here")
    fsspec = module("fsspec", "batch")
    try:
        system, path = fsspec.core.url_to_fs(address)
        found: dict[str, dict[str, Any]]
        if address.startswith(("http:", "https:")):
            found = {address: {}}
        elif WILD.search(path):
            found = system.glob(path, detail=True)
        elif system.isdir(path):
            found = system.find(path, detail=True)
        else:
            found = {path: system.info(path)}
    except Exception as error:  # of any file system
        raise DataError(
            f"{address}: cannot be reached ({reason(error)}); check the address, and that the"
            " package and the key for it are there"
        ) from error
    alone = len(found) == 1
    for path, about in sorted(found.items()):
        place = path if "://" in path else system.unstrip_protocol(path)
        one = _Place(place, _version(about))
        if alone or one.suffix in SUFFIXES | ARCHIVES:
            yield from _of_file(one)


def _of_file(one: _Place) -> Iterator[Item]:
    """A recording, or those in an archive."""
    read: dict[str, Callable[[_Place], Iterator[Item]]] = {".tar": _members, ".parquet": _rows}
    if one.suffix not in read:
        yield item_of(
            "address" if "://" in one.place else "file", one.place, one.place, one.version
        )
        return
    try:
        yield from read[one.suffix](one)
    except AuricleError as error:
        yield _broken(one.place, str(error).removeprefix(f"{one.place}: "))
    except Exception as error:  # of tarfile, pyarrow or a file system
        yield _broken(one.place, f"cannot be read to its end ({reason(error)}); copy it again")


def _members(one: _Place) -> Iterator[Item]:
    """The recordings in a tar; beside them, WebDataset has texts."""
    tar: Any
    with open_place(one.place) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        while member := tar.next():
            tar.members = []  # or it would remember all
            name = Path(member.name)
            if member.isreg() and name.suffix.lower() in SUFFIXES and name.name[0] != ".":
                yield item_of(
                    "member",
                    f"{one.place}/{member.name}",
                    one.place,
                    [one.version, member.mtime],
                    offset=member.offset_data,
                    size=member.size,
                )


def _rows(one: _Place) -> Iterator[Item]:
    """The rows of a Parquet file: a column of bytes, of {bytes, path}, or of paths."""
    arrow, parquet = module("pyarrow", "batch"), module("pyarrow.parquet", "batch")
    with open_place(one.place) as file:
        table = parquet.ParquetFile(file)
        schema = table.schema_arrow
        column = next((name for name in COLUMNS if name in schema.names), None)
        if column is None:
            raise DataError(f"{one.place}: has no column {', '.join(COLUMNS)}; rename one")
        kind = schema.field(column).type
        is_text = arrow.types.is_string(kind) or arrow.types.is_large_string(kind)
        is_struct = arrow.types.is_struct(kind)
        names: Iterator[Any] = iter([None] * table.metadata.num_rows)
        if is_text or (is_struct and kind.get_field_index("path") >= 0):
            names = _column(table, column if is_text else f"{column}.path", column)
        for row, name in enumerate(names):
            if is_text:
                yield _named(one, row, name)
            else:
                told = f"{one.place}/{name or row}"
                yield item_of("cell", told, one.place, one.version, offset=row, detail=column)


def _column(table: Any, leaf: str, column: str) -> Iterator[str | None]:
    for batch in table.iter_batches(columns=[leaf], use_threads=False):
        for value in batch.column(column).to_pylist():
            yield value.get("path") if isinstance(value, dict) else value


def _named(one: _Place, row: int, name: str | None) -> Item:
    """The recording that a row of a Parquet file names; a relative path starts at its folder."""
    if not name:
        return _broken(f"{one.place}:{row + 1}", "no path in this row; give one")
    if "://" in name:
        return item_of("address", name, name)
    if "://" in one.place:
        address = f"{one.place.rpartition('/')[0]}/{name}"
        return item_of("address", address, address)
    found = _local(str(Path(one.place).parent / name))
    return item_of("file", found.place, found.place, found.version)


def _clips(manifest: Path) -> Iterator[Item]:
    """The clips of a manifest; lines that are none are broken items."""
    folder = os.path.abspath(manifest.parent)  # noqa: PTH100  (keeps links apart)
    broken: list[Item] = []

    def fail(line: int, error: DataError) -> None:
        name = f"{manifest}:{line}"
        broken.append(_broken(name, str(error).removeprefix(f"{name}: ")))

    for _, clip in read_lines(manifest, fail):
        yield from broken
        broken.clear()
        detail = to_json(replace(clip, captions=(), extra={}), Path(folder))
        files = [clip.audio, *([clip.mix.audio] if clip.mix else [])]
        version = [_local(str(path)).version for path in files]
        audio = os.path.abspath(clip.audio)  # noqa: PTH100
        yield item_of("clip", audio, folder, version, detail=detail)
    yield from broken


def _local(name: str) -> _Place:
    place = os.path.abspath(name)  # noqa: PTH100
    try:
        status = os.stat(place)  # noqa: PTH116
    except (OSError, ValueError):  # its reader says why
        return _Place(place, None)
    return _Place(place, [status.st_size, status.st_mtime_ns])


def _broken(name: str, why: str) -> Item:
    return item_of("broken", name, name, detail=why)


def _version(about: dict[str, Any]) -> Any:
    """What an object store tells that changes with the content."""
    times = ("mtime", "LastModified", "last_modified", "updated", "created")
    return about.get("ETag") or [about.get("size"), *(str(about.get(name)) for name in times)]


def _expanded(text: str) -> Iterator[str]:
    """``text`` with each choice of its braces: {000..012} counts, {a,b} lists."""
    found = BRACES.search(text)
    if not found:
        yield text
        return
    inner = found[1]
    if span := re.fullmatch(r"(\d+)\.\.(\d+)", inner):
        first, last = span.groups()
        choices = [f"{n:0{len(first)}}" for n in range(int(first), int(last) + 1)]
    else:
        choices = inner.split(",")
    for one in choices:
        yield from _expanded(f"{text[: found.start()]}{one}{text[found.end() :]}")
