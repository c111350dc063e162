"""Manifests: one clip per line of JSON, the format of every data set.

    {"audio": path, "captions": [...], "id"?, "split"?, "start_s"?, "end_s"?, "licence"?, "source"?,
     "mix"?: {"audio": path, "start_s"?, "end_s"?, "level_db"?, "offset_s"?, "relation"?}, ...}

A relative ``audio`` starts at the manifest's folder. ``id`` is by default the stem of the file
name, with a number added if an earlier row has it. ``source`` names the recording that a clip was
cut from ("freesound:66304", "youtube:r1nicOVtvkQ"): clips of one source must be in one split.
``mix`` is a second recording that is mixed into the first (see `auricle.data.clip.Mix`). Other keys
are kept and written back.
"""

from __future__ import annotations

import difflib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from auricle.data.clip import RELATIONS, TOGETHER, Clip, Mix
from auricle.errors import DataError
from auricle.files import atomic_writer, listed, parse_json, raw_lines
from auricle.schema import shown

REQUIRED = ("audio", "captions")
OPTIONAL = ("id", "split", "start_s", "end_s", "licence", "source", "mix")
LONGEST_S = 1e9  # 31 years; every sample of it has a number of 64 bits
LOUDEST_DB = 200.0
MISTYPED = 0.8  # from this difflib ratio, an unknown key is a misspelling: "license"


def read_manifest(path: str | os.PathLike[str], split: str | None = None) -> Iterator[Clip]:
    """The clips of the manifest ``path`` one by one; only those of ``split``, if given.

    Raises DataError, with file and line, at the first line that is not a clip.
    """
    for _, clip in read_lines(path):
        if split is None or clip.split == split:
            yield clip


def read_lines(
    path: str | os.PathLike[str], on_error: Callable[[int, DataError], None] | None = None
) -> Iterator[tuple[int, Clip]]:
    """(line number from 1, clip) for each line that is not blank.

    A line that is not a clip goes to ``on_error`` as (line number, error), or is raised.
    """
    path, ids = Path(path), DefaultIds()
    for line in raw_lines(path, "manifest"):
        try:
            yield line.number, ids.complete(parse_clip(line.content, path.parent))
        except DataError as error:
            located = DataError(f"{path}:{line.number}: {error}")
            if on_error is None:
                raise located from error
            on_error(line.number, located)


class DefaultIds:
    """Ids for rows without one, in the order of a manifest: stems, made unique."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()
        self.numbers: dict[int, int] = {}

    def complete(self, clip: Clip, offset: int = 0) -> Clip:
        """``clip`` with a default id if it has none: "rain" for rain.wav, then "rain-2".

        ``numbers`` keeps the 2 under ``offset`` for `with_id`, to read rows again in any order.
        """
        if clip.id:
            return clip
        self._rows[clip.audio.stem] += 1
        if (number := self._rows[clip.audio.stem]) > 1:
            self.numbers[offset] = number
        return with_id(clip, number)


def with_id(clip: Clip, number: int = 1) -> Clip:
    """``clip`` with a default id if it has none; ``number`` counts the rows of this stem."""
    if clip.id:
        return clip
    stem = clip.audio.stem
    return replace(clip, id=f"{stem}-{number}" if number > 1 else stem)


def parse_clip(line: bytes, folder: Path) -> Clip:
    """The clip of one line of JSON; relative paths start at ``folder``.

    Its id is "" if the row gives none; `DefaultIds` completes it.

    Raises DataError, with the rule that the line breaks, and the fix.
    """
    return clip_of(parse_json(line), folder)


def clip_of(row: Mapping[str, Any], folder: Path) -> Clip:
    """As `parse_clip`, of the keys of a line."""
    for key in REQUIRED:
        if key not in row:
            raise DataError(f'has no "{key}"; give {", ".join(REQUIRED)}')
    for key in row.keys() - {*REQUIRED, *OPTIONAL}:
        if near := difflib.get_close_matches(key, [*REQUIRED, *OPTIONAL], 1, MISTYPED):
            raise DataError(f'unknown key "{listed([key])}"; write "{near[0]}"')
    captions = row["captions"]
    if not isinstance(captions, list) or not all(isinstance(text, str) for text in captions):
        raise DataError('"captions" must be a list of strings, even for a single caption')
    if not all(map(_is_text, captions)):
        raise DataError(
            '"captions" holds half of a surrogate pair (\\ud800 …); write the character'
        )
    for key in ("audio", "id", "split"):
        if key in row and (not isinstance(row[key], str) or not row[key]):
            raise DataError(f'"{key}" is {shown(row[key])}; it must be a string that is not empty')
    for key in ("licence", "source"):
        if not isinstance(row.get(key), str | None):
            raise DataError(f'"{key}" is {shown(row[key])}; it must be a string, or left out')
    for key in ("id", "split", "licence", "source"):  # an id may be a file name
        if not _is_text(row.get(key) or "", "surrogateescape" if key == "id" else "strict"):
            raise DataError(f'"{key}" is {shown(row[key])}; it holds half of a surrogate pair')
    start_s, end_s = section(row)
    return Clip(
        audio=recording(row["audio"], folder),
        captions=tuple(captions),
        id=row.get("id", ""),
        split=row.get("split", ""),
        start_s=start_s,
        end_s=end_s,
        licence=row.get("licence"),
        source=row.get("source"),
        mix=parse_mix(row["mix"], folder) if "mix" in row else None,
        extra={key: row[key] for key in row if key not in {*REQUIRED, *OPTIONAL}},
    )


def recording(name: str, folder: Path) -> Path:
    """The path of the recording ``name``; a relative one starts at ``folder``.

    Raises DataError: no file can have this name.
    """
    if "\0" in name or not _is_text(name, "surrogateescape"):
        raise DataError(
            f'"audio" is {shown(name)}; no file can have this name, which holds NUL or half of a'
            " surrogate pair"
        )
    return folder / name


def _is_text(value: str, errors: str = "strict") -> bool:
    """Whether UTF-8 can hold ``value``, with "surrogateescape" also bytes of a file name."""
    try:
        value.encode("utf-8", errors)
    except UnicodeEncodeError:
        return False
    return True


def split_counts(splits: Counter[str]) -> str:
    """The splits of a manifest for a message: "train (12), val (3), (empty) (1)"."""
    return listed(f"{name or '(empty)'} ({n})" for name, n in splits.most_common()) or "no rows"


def write_manifest(path: str | os.PathLike[str], clips: Iterable[Clip]) -> int:
    """Write ``clips`` to ``path``, completely or not at all; return their number.

    Paths of audio below the manifest's folder are relative, so the folder can be moved; others are
    absolute.
    """
    path = Path(path)
    count = 0
    with atomic_writer(path) as file:
        for clip in clips:
            file.write(to_json(clip, path.parent) + "\n")
            count += 1
    return count


def to_json(clip: Clip, folder: Path, **more: object) -> str:
    """The line of ``clip`` in a manifest in ``folder``, with ``more`` keys."""
    row: dict[str, object] = {
        "audio": portable(clip.audio, folder),
        "captions": list(clip.captions),
    }
    row |= {key: value for key in OPTIONAL if (value := getattr(clip, key)) not in (None, "")}
    if clip.mix:
        unsaid = (None, TOGETHER)
        mix = {key: value for key, value in asdict(clip.mix).items() if value not in unsaid}
        row["mix"] = mix | {"audio": portable(clip.mix.audio, folder)}
    return json.dumps(row | dict(clip.extra) | more, ensure_ascii=False)


def portable(audio: Path, folder: Path) -> str:
    """The path for a manifest in ``folder``: relative if ``audio`` lies below it, else absolute."""
    audio = Path(os.path.abspath(audio))  # noqa: PTH100  (a link's target may not be shared)
    root = Path(os.path.abspath(folder))  # noqa: PTH100
    return (audio.relative_to(root) if audio.is_relative_to(root) else audio).as_posix()


def parse_mix(row: object, folder: Path) -> Mix:
    """The `Mix` of a manifest's key "mix"; a relative path starts at ``folder``.

    Raises DataError, with the rule that it breaks, and the fix.
    """
    known = [field.name for field in fields(Mix)]
    if not isinstance(row, dict):
        raise DataError(
            f'"mix" is {shown(row)}; it must be an object with the keys {", ".join(known)}'
        )
    for key in row.keys() - set(known):
        near = difflib.get_close_matches(key, known, 1)
        fix = f'write "{near[0]}"' if near else f"known are {', '.join(known)}"
        raise DataError(f'"mix" has the unknown key "{listed([key])}"; {fix}')
    audio = row.get("audio")
    if not isinstance(audio, str) or not audio:
        raise DataError(
            f'"audio" of "mix" is {shown(audio)}; give the path of the second recording'
        )
    relation = TOGETHER if row.get("relation") is None else row["relation"]
    if relation not in RELATIONS:
        rule = " or ".join(f'"{name}"' for name in RELATIONS)
        raise DataError(f'"relation" of "mix" is {shown(relation)}; it must be {rule}')
    try:
        start_s, end_s = section(row)
        level_db = number(row, "level_db", -LOUDEST_DB, LOUDEST_DB, "dB")
        offset_s = seconds(row, "offset_s")
        return Mix(recording(audio, folder), start_s, end_s, level_db, offset_s, relation)
    except DataError as error:
        raise DataError(f'in "mix", {error}') from error


def seconds(row: Mapping[str, Any], key: str) -> float | None:
    """``row[key]`` in seconds, None if missing; DataError unless it is 0 to `LONGEST_S`."""
    return number(row, key, 0.0, LONGEST_S, "seconds")


def number(row: Mapping[str, Any], key: str, low: float, high: float, unit: str) -> float | None:
    """``row[key]``, None if missing; DataError unless it is a number from ``low`` to ``high``."""
    value = row.get(key)
    if value is None:
        return None
    given = isinstance(value, int | float) and not isinstance(value, bool)
    if not given or not low <= value <= high:
        rule = f"a number of {unit}, {low:g} to {high:,.0f}"
        raise DataError(f'"{key}" is {shown(value)}; it must be {rule}')
    return float(value)


def section(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """``start_s`` and ``end_s`` of ``row``; DataError unless the end is after the start."""
    start_s, end_s = seconds(row, "start_s"), seconds(row, "end_s")
    if end_s is not None and end_s <= (start_s or 0.0):
        raise DataError(f'"end_s" is {end_s}; it must come after "start_s", {start_s or 0.0}')
    return start_s, end_s
