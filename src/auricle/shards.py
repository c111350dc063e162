"""Shards: rows of plain values in files of Parquet or JSON Lines, written wholly or not at all.

A column has a Python type, which decides its type in Parquet: str, int, float, bool, bytes, a list
[of one type], a dataclass, or a mapping of columns; each may be None. In JSON, bytes are base64.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, get_args, get_origin, get_type_hints

from auricle.allocator import trim
from auricle.errors import DataError, ModelError, OutputError, reason
from auricle.extras import module
from auricle.files import atomic_bytes, listed, opened, read_json

Columns: TypeAlias = dict[str, Any]  # name -> type
Row: TypeAlias = Mapping[str, Any]

JOB = ".job/job.json"  # in a folder of shards
PATTERN, SUFFIXES = "shard-[0-9]*", (".parquet", ".jsonl")
BLOCK_ROWS = 1024
GROUP_BYTES = 2 << 20  # of a row group, in memory


def write_rows(path: Path, rows: Iterable[Row], columns: Columns) -> None:
    """Write ``rows`` as the file ``path``, in the format of its suffix.

    Raises OutputError: it cannot be written.
    """
    with _format(path).written(path, columns) as file:
        file.add(list(rows))


def read_rows(path: Path, names: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a file; only their columns ``names``, if given.

    Raises DataError: it cannot be read.
    """
    for block in _format(path).blocks(path, names):
        yield from block.rows(names)


def shards_in(folder: Path) -> list[Path]:
    """The shards in ``folder``, in the order of their numbers."""
    found = (one for one in folder.glob(PATTERN) if one.suffix in SUFFIXES)
    return sorted(found, key=number_of)


def number_of(shard: Path) -> int:
    return int(shard.stem.rpartition("-")[2])


def read_folder(folder: Path, names: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of all shards in ``folder``.

    Raises DataError: there are none, or one cannot be read.
    """
    found = shards_in(folder)
    if not found:
        raise DataError(
            f"{folder}: holds no shard-….parquet or .jsonl; name the output of an auricle batch"
        )
    for path in found:
        yield from read_rows(path, names)


def job_of(folder: Path, task: str) -> dict[str, Any]:
    """What the batch in ``folder`` did: its model, settings, and so on.

    Raises DataError: it is no batch, or of another task than ``task``.
    """
    try:
        job = read_json(folder / JOB)
    except ModelError as error:
        raise DataError(f"{error}; name the output of an auricle batch --task {task}") from error
    if job.get("task") != task:
        raise DataError(
            f"{folder}: holds {job.get('task')}, not {task}; name the output of an auricle batch"
            f" --task {task}"
        )
    return job


def copy_rows(
    paths: Iterable[Path],
    to: Path,
    columns: Columns,
    names: Sequence[str],
    keep: Callable[[list[dict[str, Any]]], list[bool]],
) -> None:
    """Write the rows of ``paths`` as the file ``to``, without those that are not to ``keep``, which
    gets the columns ``names`` of some rows. The memory does not grow with their number.

    Raises DataError, OutputError: a file cannot be read or written.
    """
    kind = _format(to)
    with kind.written(to, columns) as file:
        for path in paths:
            for block in kind.blocks(path, None):
                file.add(block.only(keep(block.rows(names))))


def give_back() -> None:
    """Give memory that is free back to the system, in a process that writes many files."""
    module("pyarrow", "batch").default_memory_pool().release_unused()
    trim()


def as_bytes(value: bytes | str) -> bytes:
    """Bytes of a row, which JSON has as base64."""
    return base64.b64decode(value) if isinstance(value, str) else value


class _Block(Protocol):
    def rows(self, names: Sequence[str] | None) -> list[dict[str, Any]]: ...
    def only(self, kept: list[bool]) -> _Block: ...


class _Writer(Protocol):
    def add(self, rows: Any) -> None:
        """``rows``: a list of them, or a block of a file of this format."""


def _format(path: Path) -> type[_Parquet] | type[_JsonLines]:
    return _Parquet if path.suffix == ".parquet" else _JsonLines


class _Parquet:
    """Blocks are record batches of pyarrow."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def rows(self, names: Sequence[str] | None) -> list[dict[str, Any]]:
        return (self.batch.select(names) if names else self.batch).to_pylist()

    def only(self, kept: list[bool]) -> _Parquet:
        return _Parquet(self.batch.filter(module("pyarrow", "batch").array(kept)))

    @classmethod
    def blocks(cls, path: Path, names: Sequence[str] | None) -> Iterator[_Parquet]:
        arrow = module("pyarrow", "batch")
        parquet = module("pyarrow.parquet", "batch")
        try:
            with parquet.ParquetFile(path) as file:
                _check(names, file.schema_arrow.names, path)
                for batch in file.iter_batches(BLOCK_ROWS, columns=names, use_threads=False):
                    yield cls(batch)
        except (OSError, arrow.ArrowException) as error:
            raise DataError(
                f"{path}: no file of Parquet that can be read ({reason(error)}); copy it again"
            ) from error

    @staticmethod
    @contextlib.contextmanager
    def written(path: Path, columns: Columns) -> Iterator[_ParquetWriter]:
        with writing(path), atomic_bytes(path) as file:
            writer = _ParquetWriter(file, columns)
            yield writer
            writer.close()


class _ParquetWriter:
    """Gathers rows into row groups of `GROUP_BYTES`."""

    def __init__(self, file: Any, columns: Columns) -> None:
        self._arrow = module("pyarrow", "batch")
        self._schema = self._arrow.schema([(n, _arrow_type(t)) for n, t in columns.items()])
        parquet = module("pyarrow.parquet", "batch")
        self._file = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Any] = []
        self._bytes = 0

    def add(self, rows: Any) -> None:
        if isinstance(rows, _Parquet):
            batch = rows.batch
        else:
            rows = [_unicode(row) for row in rows]
            batch = self._arrow.RecordBatch.from_pylist(rows, schema=self._schema)
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        table = self._arrow.Table.from_batches(self._waiting, self._schema)
        if table.num_rows:
            self._file.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._bytes = [], 0


class _JsonLines:
    """Blocks are lines with their rows."""

    def __init__(self, lines: list[tuple[bytes, dict[str, Any]]]) -> None:
        self.lines = lines

    def rows(self, names: Sequence[str] | None) -> list[dict[str, Any]]:
        rows = (row for _, row in self.lines)
        return [{name: row[name] for name in names} if names else row for row in rows]

    def only(self, kept: list[bool]) -> _JsonLines:
        return _JsonLines([one for one, keep in zip(self.lines, kept, strict=True) if keep])

    @classmethod
    def blocks(cls, path: Path, names: Sequence[str] | None) -> Iterator[_JsonLines]:
        with opened(path, "shard") as file:
            for number, line in enumerate(file, 1):  # one may have megabytes of features
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise DataError(f"{path}:{number}: no line of JSON; copy it again") from error
                _check(names, row, path)
                yield cls([(line, row)])

    @staticmethod
    @contextlib.contextmanager
    def written(path: Path, columns: Columns) -> Iterator[_JsonLinesWriter]:
        with writing(path), atomic_bytes(path) as file:
            yield _JsonLinesWriter(file, columns)


class _JsonLinesWriter:
    def __init__(self, file: Any, columns: Columns) -> None:
        self._file, self._names = file, list(columns)

    def add(self, rows: Any) -> None:
        if isinstance(rows, _JsonLines):
            self._file.writelines(line for line, _ in rows.lines)
            return
        for row in rows:
            whole = {name: row.get(name) for name in self._names}
            text = json.dumps(whole, ensure_ascii=False, default=_plain)
            self._file.write(f"{text}\n".encode("utf-8", "backslashreplace"))


def _check(names: Sequence[str] | None, there: Collection[str], path: Path) -> None:
    if missing := [name for name in names or () if name not in there]:
        raise DataError(f"{path}: has no column {listed(missing)}; is it of another task?")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within, raise OutputError where ``path`` cannot be written."""
    try:
        yield
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"{path}: cannot be written ({reason(error.strerror or error)}); make room or allow it,"
            " then go on with --resume"
        ) from error


def _arrow_type(kind: Any) -> Any:
    """The type of Arrow for the type of a column."""
    arrow = module("pyarrow", "batch")
    plain = {
        str: arrow.string(),
        int: arrow.int64(),
        float: arrow.float64(),
        bool: arrow.bool_(),
        bytes: arrow.binary(),
    }
    if isinstance(kind, types.UnionType):
        (kind,) = (one for one in get_args(kind) if one is not types.NoneType)
    if isinstance(kind, list):
        return arrow.list_(_arrow_type(kind[0]))
    if get_origin(kind) is tuple:  # tuple[X, ...]
        return arrow.list_(_arrow_type(get_args(kind)[0]))
    if dataclasses.is_dataclass(kind):
        kind = get_type_hints(kind)
    if isinstance(kind, Mapping):
        return arrow.struct([(name, _arrow_type(one)) for name, one in kind.items()])
    return plain[kind]


def _plain(value: Any) -> Any:
    """What JSON has no value for: bytes, and records with slots."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return {name: getattr(value, name) for name in value.__match_args__}


def _unicode(value: Any) -> Any:
    """``value`` with text that Parquet takes: names of files that are not Unicode are escaped."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {name: _unicode(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_unicode(one) for one in value]
    if hasattr(value, "__match_args__"):
        return _unicode(_plain(value))
    return value
