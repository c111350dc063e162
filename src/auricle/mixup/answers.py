"""Generated mix-ups, one raw answer per line of JSON, in a file that only grows.

    {"pair": 0, "ids": [a, b], "audio": [path, path], "sections": [[start_s, end_s], [..]] or null,
     "captions": [text, text], "licences": [.., ..], "sources": [.., ..], "prompt": version,
     "model": name, "provider": "openai" | "local" | "published", "seed": 0, "answer": text,
     "relation": null | "together" | "followed by"}

A relative path is meant from the file's folder. A line is written in one piece as soon as there is
an answer, so a killed run loses at most the line it was writing; lines come in the order of the
answers until `appending` ends and puts them into the order of the pairs.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from auricle.data.manifest import portable, section
from auricle.errors import DataError
from auricle.files import atomic_writer, parse_json, raw_lines

Provider = Literal["openai", "local", "published"]
MixRelation = Literal["together", "followed by"]
Section = tuple[float | None, float | None]
Texts = tuple[str | None, str | None]

_START = b'{"pair": '  # of every line


@dataclass(frozen=True, slots=True)
class MixupRow:
    """A pair of captions and a model's answer. Of two values the first is the first clip's.

    ``pair``: place in the order that ``seed`` fixes, from 0; ``audio`` can be opened as it stands;
    ``sections``: (start_s, end_s) of each clip, None for two whole recordings; ``prompt``: its
    version; ``answer``: as the model gave it; ``relation``: how the two sounds stand in time, None
    where the answer alone says it.
    """

    pair: int
    ids: tuple[str, str]
    audio: tuple[Path, Path]
    captions: tuple[str, str]
    prompt: str
    model: str
    provider: Provider
    seed: int
    answer: str
    sections: tuple[Section, Section] | None = None
    licences: Texts = (None, None)
    sources: Texts = (None, None)
    relation: MixRelation | None = None


def to_json(row: MixupRow, folder: Path) -> str:
    """The line for ``row`` in a file that lies in ``folder``: audio below it by relative path."""
    return json.dumps(
        {
            "pair": row.pair,
            "ids": row.ids,
            "audio": [portable(path, folder) for path in row.audio],
            "sections": row.sections,
            "captions": row.captions,
            "licences": row.licences,
            "sources": row.sources,
            "prompt": row.prompt,
            "model": row.model,
            "provider": row.provider,
            "seed": row.seed,
            "answer": row.answer,
            "relation": row.relation,
        },
        ensure_ascii=False,
    )


def parse_row(line: bytes, folder: Path) -> MixupRow:
    """The row that one line of JSON holds; relative paths are taken from ``folder``.

    Raises DataError: the rule that the line breaks.
    """
    row = parse_json(line)
    for key in ("pair", "seed"):
        if not isinstance(row.get(key), int) or isinstance(row[key], bool):
            raise DataError(f'"{key}" is {row.get(key)!r}; a mix-up has a whole number there')
    for key in ("prompt", "model", "answer"):
        if not isinstance(row.get(key), str):
            raise DataError(f'"{key}" is {row.get(key)!r}; a mix-up has a string there')
    _one_of(row, "provider", get_args(Provider))
    _one_of(row, "relation", (None, *get_args(MixRelation)))
    first, second = _two(row, "audio", str)
    return MixupRow(
        pair=row["pair"],
        ids=_two(row, "ids", str),
        audio=(folder / first, folder / second),
        captions=_two(row, "captions", str),
        prompt=row["prompt"],
        model=row["model"],
        provider=row["provider"],
        seed=row["seed"],
        answer=row["answer"],
        sections=_sections(row),
        licences=_two(row, "licences", str | None),
        sources=_two(row, "sources", str | None),
        relation=row.get("relation"),
    )


def read_rows(
    path: str | os.PathLike[str], on_error: Callable[[int, DataError], None] | None = None
) -> Iterator[MixupRow]:
    """The rows of ``path`` one by one, as they stand there.

    A last line without its end is what a killed run was writing: it is left out, unless it is
    whole. Any other line that is not a row goes to ``on_error`` as (line number, error), or is
    raised as a DataError that names file and line.
    """
    path = Path(path)
    for line in raw_lines(path, "mix-ups"):
        try:
            yield parse_row(line.content, path.parent)
        except DataError as error:
            if not line.content.endswith(b"\n"):
                return
            located = DataError(f"{path}:{line.number}: {error}")
            if on_error is None:
                raise located from error
            on_error(line.number, located)


@contextlib.contextmanager
def appending(path: Path) -> Iterator[Callable[[MixupRow], None]]:
    """``with appending(path) as append: append(row)``: each row is in the file when it returns.

    A line torn by a kill is cut off first; at the end the file is put in order. Raises DataError:
    another process is appending, or the file is none of mix-ups.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        _lock(file, path)
        _mend(file, path)

        def append(row: MixupRow) -> None:
            line = to_json(row, path.parent).encode("utf-8", "backslashreplace") + b"\n"
            end = os.fstat(file.fileno()).st_size
            if file.write(line) != len(line):  # a full disk takes a part
                file.truncate(end)
                raise OSError(errno.ENOSPC, "no room; make some and run the same again", str(path))

        try:
            yield append
        except OSError:  # nor is there room for a sorted copy
            raise
        except BaseException:
            sort_rows(path)
            raise
        sort_rows(path)


def sort_rows(path: Path) -> bool:
    """Put the lines of ``path`` into the order of the pairs, whole or not at all; whether they
    were in another. One line at a time is in memory.

    Raises DataError: a line is not a row.
    """
    places = [
        (parse_row(line.content, path.parent).pair, line.offset)
        for line in raw_lines(path, "mix-ups")
    ]
    if all(before < after for (before, _), (after, _) in pairwise(places)):
        return False
    with path.open("rb") as lines, atomic_writer(path) as sorted_file:
        for _, offset in sorted(places):
            lines.seek(offset)
            sorted_file.write(lines.readline().decode("utf-8"))
    return True


def _lock(file: FileIO, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # let go of when the file is closed
    except OSError as error:
        raise DataError(
            f"{path}: another process is writing to it; wait for it, or give another output"
        ) from error


def _mend(file: FileIO, path: Path) -> None:
    """End a last line that lacks nothing but its end; cut one off that lacks more."""
    for line in deque(raw_lines(path, "mix-ups"), 1):
        if line.content.endswith(b"\n"):
            return
        try:
            parse_row(line.content, path.parent)
            file.write(b"\n")
        except DataError as error:
            if not line.content.startswith(_START[: len(line.content)]):
                raise DataError(
                    f"{path}:{line.number}: {error}; rows are added only to a file of mix-ups"
                ) from error
            file.truncate(line.offset)


def _one_of(row: dict[str, Any], key: str, values: tuple[Any, ...]) -> None:
    if row.get(key) not in values:
        raise DataError(f'"{key}" is {row.get(key)!r}; known are {", ".join(map(str, values))}')


def _two(row: dict[str, Any], key: str, kind: Any) -> tuple[Any, Any]:
    """Both values of ``key``; a key that may hold null may be left out."""
    values = row.get(key, [None, None])
    if isinstance(values, list) and len(values) == 2:
        first, second = values
        if isinstance(first, kind) and isinstance(second, kind):
            return first, second
    raise DataError(f'"{key}" is {values!r}; a mix-up has a value for each of its two clips there')


def _sections(row: dict[str, Any]) -> tuple[Section, Section] | None:
    if row.get("sections") is None:
        return None
    first, second = _two(row, "sections", list)
    parts = [dict(zip(("start_s", "end_s"), part, strict=False)) for part in (first, second)]
    if len(first) != 2 or len(second) != 2:
        raise DataError(f'"sections" is {row["sections"]!r}; it must be [[start_s, end_s], ..]')
    return section(parts[0]), section(parts[1])
