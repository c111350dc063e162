"""Manifests: one clip per line of JSON, what every data set is turned into.

    {"audio": path, "captions": [...], "id": ..., "split": ..., "start_s"?, "end_s"?, "licence"?,
     "source"?, ...}

A relative ``audio`` is meant from the manifest's folder. ``source`` names the recording a clip was
cut from ("freesound:66304", "youtube:r1nicOVtvkQ"): two clips of one source must not stand on both
sides of a split. ``mix`` names a second recording that is mixed into the first (see
`auricle.data.mixing`). Keys beyond these are kept and written back.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from auricle.data.fields import section
from auricle.data.mixing import mix_of, parse_mix
from auricle.errors import DataError

REQUIRED = ("audio", "captions", "id", "split")
OPTIONAL = ("start_s", "end_s", "licence", "source")
MISTYPED = 0.8  # difflib ratio from which an unknown key is taken for a known one: "license"


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording, or its section from ``start_s`` to ``end_s`` (seconds), and its captions.

    ``audio`` can be opened as it stands; ``split`` is "train", "val", "test" or a name of one's
    own; ``licence`` is that of the audio; ``extra`` holds the manifest's other keys, of
    which "mix" can be opened as well.
    """

    audio: Path
    captions: tuple[str, ...]
    id: str
    split: str
    start_s: float | None = None
    end_s: float | None = None
    licence: str | None = None
    source: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


def read_manifest(path: str | os.PathLike[str], split: str | None = None) -> Iterator[Clip]:
    """The clips of the manifest ``path`` one by one, of ``split`` alone if that is given.

    Raises DataError, naming file and line, at the first line that is not a clip.
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
    path = Path(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: no manifest that can be read ({error.strerror})") from error
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield number, parse_clip(line, path.parent)
            except DataError as error:
                located = DataError(f"{path}:{number}: {error}")
                if on_error is None:
                    raise located from error
                on_error(number, located)


def parse_clip(line: bytes | str, folder: Path) -> Clip:
    """The clip that one line of JSON describes; relative paths are taken from ``folder``.

    Raises DataError: the rule that the line breaks, and the fix.
    """
    try:
        row = json.loads(line.decode("utf-8-sig") if isinstance(line, bytes) else line)
    except ValueError as error:  # undecodable bytes, too
        raise DataError(f"not a line of JSON ({error}); write one object per line") from error
    if not isinstance(row, dict):
        raise DataError(f"a JSON {type(row).__name__}; each line must be an object")
    for key in REQUIRED:
        if key not in row:
            raise DataError(f'has no "{key}"; give {", ".join(REQUIRED)}')
    for key in row.keys() - {*REQUIRED, *OPTIONAL}:
        if near := difflib.get_close_matches(key, [*REQUIRED, *OPTIONAL], 1, MISTYPED):
            raise DataError(f'unknown key "{key}"; write "{near[0]}"')
    captions = row["captions"]
    if not isinstance(captions, list) or not all(isinstance(text, str) for text in captions):
        raise DataError('"captions" must be a list of strings, also for a single caption')
    for key in ("audio", "id", "split"):
        if not isinstance(row[key], str) or not row[key]:
            raise DataError(f'"{key}" is {row[key]!r}; it must be a string that is not empty')
    for key in ("licence", "source"):
        if not isinstance(row.get(key), str | None):
            raise DataError(f'"{key}" is {row[key]!r}; it must be a string, or left out')
    start_s, end_s = section(row)
    extra = {key: row[key] for key in row if key not in {*REQUIRED, *OPTIONAL}}
    if "mix" in extra:
        extra["mix"] = extra["mix"] | {"audio": str(folder / parse_mix(extra["mix"]).audio)}
    return Clip(
        audio=folder / row["audio"],
        captions=tuple(captions),
        id=row["id"],
        split=row["split"],
        start_s=start_s,
        end_s=end_s,
        licence=row.get("licence"),
        source=row.get("source"),
        extra=extra,
    )


def write_manifest(path: str | os.PathLike[str], clips: Iterable[Clip]) -> int:
    """Write ``clips`` to ``path``, whole or not at all; their number.

    Audio below the manifest's folder is written relative to it, so that the folder can be moved;
    other audio by its absolute path.
    """
    path = Path(path)
    count = 0
    with atomic_writer(path) as file:
        for clip in clips:
            file.write(to_json(clip, path.parent) + "\n")
            count += 1
    return count


def to_json(clip: Clip, folder: Path, **more: object) -> str:
    """The line for ``clip`` in a manifest that lies in ``folder``, with ``more`` keys."""
    row: dict[str, object] = {
        "audio": portable(clip.audio, folder),
        "captions": list(clip.captions),
        "id": clip.id,
        "split": clip.split,
    }
    row |= {key: value for key in OPTIONAL if (value := getattr(clip, key)) is not None}
    row |= clip.extra
    if mix := mix_of(clip):
        row["mix"] = clip.extra["mix"] | {"audio": portable(mix.audio, folder)}
    return json.dumps(row | more, ensure_ascii=False)


def portable(audio: Path, folder: Path) -> str:
    """The path for a manifest in ``folder``: relative for what lies below it, else absolute."""
    audio = Path(os.path.abspath(audio))  # noqa: PTH100  (a link's target may not be shared)
    root = Path(os.path.abspath(folder))  # noqa: PTH100
    return (audio.relative_to(root) if audio.is_relative_to(root) else audio).as_posix()


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text file that takes ``path``'s place when the block ends without an error.

    File names that are not Unicode come out as JSON escapes, which `json.loads` reads back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())  # mkstemp's own mode shuts out everybody else
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
