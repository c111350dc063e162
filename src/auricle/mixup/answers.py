"""Answers file of generated mix-ups: one raw answer per line of JSON; lines are only added.

    {"pair": 0, "ids": [a, b], "audio": [path, path], "sections": [[start_s, end_s], [..]] or null,
     "captions": [text, text], "licences": [.., ..], "sources": [.., ..], "prompt": version,
     "model": name, "provider": "openai" | "local" | "published", "seed": 0, "answer": text,
     "relation": null | "together" | "followed by"}

A relative path starts at the file's folder. A line is written in one piece when its answer arrives,
so a killed run loses at most one line. The lines have the order of arrival, until `appending` ends
and sorts them by pair.
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
from auricle.llm.completion import whole_characters
from auricle.locks import lock
from auricle.schema import shown

Provider = Literal["openai", "local", "published"]
MixRelation = Literal["together", "followed by"]
Section = tuple[float | None, float | None]
TwoTexts = tuple[str | None, str | None]

_START = b'{"pair": '  # of every line


@dataclass(frozen=True, slots=True)
class MixupRow:
    """A pair of captions and a model's answer. The first of two values belongs to the first clip.

    ``pair``: number in the order of ``seed``, from 0; ``audio``: paths that can be opened;
    ``sections``: (start_s, end_s) of each clip, None for two whole recordings; ``prompt``: its
    version; ``answer``: the model's raw text; ``relation``: the two sounds in time, None if only
    the answer states it.
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
    licences: TwoTexts = (None, None)
    sources: TwoTexts = (None, None)
    relation: MixRelation | None = None


def to_json(row: MixupRow, folder: Path) -> str:
    """The line of ``row`` for a file in ``folder``; audio below it gets a relative path."""
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
    """The row of one line of JSON; relative paths start at ``folder``.

    Raises DataError, with the rule that the line breaks.
    """
    row = parse_json(line)
    for key in ("pair", "seed"):
        if not isinstance(row.get(key), int) or isinstance(row[key], bool):
            raise DataError(f'"{key}" is {shown(row.get(key))}; it must be a whole number')
    for key in ("prompt", "model", "answer"):
        if not isinstance(row.get(key), str):
            raise DataError(f'"{key}" is {shown(row.get(key))}; it must be a string')
    _one_of(row, "provider", get_args(Provider))
    _one_of(row, "relation", (None, *get_args(MixRelation)))
    first, second = _two(row, "audio", str)
    caption, other = map(whole_characters, _two(row, "captions", str))
    return MixupRow(
        pair=row["pair"],
        ids=_two(row, "ids", str),
        audio=(folder / first, folder / second),
        captions=(caption, other),
        prompt=row["prompt"],
        model=row["model"],
        provider=row["provider"],
        seed=row["seed"],
        answer=whole_characters(row["answer"]),
        sections=_sections(row),
        licences=_two(row, "licences", str | None),
        sources=_two(row, "sources", str | None),
        relation=row.get("relation"),
    )


def read_rows(
    path: str | os.PathLike[str], on_error: Callable[[int, DataError], None] | None = None
) -> Iterator[MixupRow]:
    """The rows of ``path`` one by one, in their order.

    A last line without a line end, left by a killed run, is skipped unless it is complete. Any
    other line that is not a row goes to ``on_error`` as (line number, error), or raises a DataError
    with file and line.
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
    """``with appending(path) as append: append(row)``: a row is in the file when `append` returns.

    A broken last line is removed first; at the end the file is sorted. Raises DataError: another
    process is appending, or the file does not hold mix-ups.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        if not lock(file):
            raise DataError(
                f"{path}: another process is writing to it; wait for it, or give another output"
            )
        _mend(file, path)

        def append(row: MixupRow) -> None:
            line = to_json(row, path.parent).encode("utf-8", "backslashreplace") + b"\n"
            end = os.fstat(file.fileno()).st_size
            if file.write(line) != len(line):  # a full disk writes only a part
                file.truncate(end)
                raise OSError(errno.ENOSPC, "no room; make some and run the same again", str(path))

        try:
            yield append
        except OSError:  # then a sorted copy has no room either
            raise
        except BaseException:
            sort_rows(path)
            raise
        sort_rows(path)


def sort_rows(path: Path) -> bool:
    """Sort the lines of ``path`` by pair, completely or not at all; return whether they changed.
    Memory holds one line at a time.

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


def _mend(file: FileIO, path: Path) -> None:
    """Complete a last line that lacks only its line end; remove one that lacks more."""
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
        raise DataError(
            f'"{key}" is {shown(row.get(key))}; known are {", ".join(map(str, values))}'
        )


def _two(row: dict[str, Any], key: str, kind: Any) -> tuple[Any, Any]:
    """Both values of ``key``; a key that may be null may be missing."""
    values = row.get(key, [None, None])
    if isinstance(values, list) and len(values) == 2:
        first, second = values
        if isinstance(first, kind) and isinstance(second, kind):
            return first, second
    raise DataError(
        f'"{key}" is {shown(values)}; it must be a list of a value for each of two clips'
    )


def _sections(row: dict[str, Any]) -> tuple[Section, Section] | None:
    if row.get("sections") is None:
        return None
    first, second = _two(row, "sections", list)
    parts = [dict(zip(("start_s", "end_s"), part, strict=False)) for part in (first, second)]
    if len(first) != 2 or len(second) != 2:
        raise DataError(
            f'"sections" is {shown(row["sections"])}; it must be [[start_s, end_s], ..]'
        )
    return section(parts[0]), section(parts[1])
