"""Rows of the store of an index: sounds, files, and the tables that hold them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from auricle.search.query import stems

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording, or a segment of a long one.

    Attributes:
        id: never used for another sound; it stays when the file is moved.
        audio: absolute path of the file.
        tags: classes that the encoder hears, best first; none where it has no classes.
        duration_s, format, content: of the file; the content is the BLAKE2b of its bytes.
        segment: it is a part of a long recording, which is a sound by itself, too.
        stems: of the words and numbers of caption, tags and file name.
    """

    id: int
    audio: str
    start_s: float
    end_s: float
    caption: str
    confidence: float | None
    score: float | None
    tags: tuple[str, ...]
    duration_s: float
    format: str
    content: str
    segment: bool
    stems: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Indexed:
    """A file of the index; ``reason``: why it cannot be heard, else empty."""

    audio: str
    size: int
    mtime_ns: int
    content: str
    duration_s: float = 0.0
    format: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Described:
    """What the model says of a file or a segment of it; ``vector``: [E], of length 1."""

    start_s: float
    end_s: float
    caption: str
    confidence: float | None = None
    score: float | None = None
    tags: tuple[str, ...] = ()
    segment: bool = False
    vector: np.ndarray | None = None


class Maker(NamedTuple):
    """The model that an index is made by: its name, and a digest of its files."""

    model: str
    digest: str


FILE, DESCRIBED = ", ".join(Indexed.__match_args__), ", ".join(Described.__match_args__)
SOUND = (
    "id, audio, start_s, end_s, caption, confidence, score, tags, duration_s, format, content,"
    " segment, stems FROM sounds JOIN files ON file = number"
)


def name_words(audio: str) -> str:
    """The name of a file for full text, and its words: "MetalGate01.wav" -> "MetalGate01 Metal Gate
    01"."""
    stem = Path(audio).stem.encode("utf-8", "replace").decode()
    apart = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|(?<=[a-z])(?=[A-Z])", " ", stem)
    return stem if apart == stem else f"{stem} {apart}"


def told_stems(audio: str, caption: str, tags: Iterable[str]) -> str:
    """The stems of all that is told of a sound, with a space between them."""
    return " ".join(sorted(stems(name_words(audio)).union(stems(caption), *map(stems, tags))))


def below(folder: str | os.PathLike[str]) -> tuple[str, list[Any]]:
    """A condition on ``audio``: it is ``folder``, or below it; and its values."""
    path = os.fsencode(os.path.abspath(folder))  # noqa: PTH100  (keeps links apart)
    first = path.rstrip(b"/") + b"/"
    after = first[:-1] + b"0"  # the character after the slash
    ranges, values = [], []
    for kind in ("TEXT", "BLOB"):  # a path that is not Unicode is stored as its bytes
        ranges.append(f"audio = CAST(? AS {kind})")
        ranges.append(f"audio >= CAST(? AS {kind}) AND audio < CAST(? AS {kind})")
        values += [path, first, after]
    return f"({' OR '.join(ranges)})", values


def values_of(one: Indexed | Described) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__match_args__}


def marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))


def sound_of(row: tuple) -> Sound:
    """Of the columns `SOUND`; a search makes hundreds of them."""
    id, audio, start_s, end_s, caption, confidence, score, tags, *of_file, segment, told = row
    duration_s, kind, content = of_file
    return Sound(
        id,
        os.fsdecode(audio),
        float(start_s),
        float(end_s),
        caption,
        confidence,
        score,
        tuple(json.loads(tags)),
        duration_s,
        kind,
        content,
        bool(segment),
        frozenset(told.split()),
    )


def in_sqlite(value: int | str | bytes) -> tuple[bool, int | bytes]:
    """What orders like ``value`` in SQLite among others of its column: text comes before bytes."""
    return isinstance(value, bytes), value if isinstance(value, int) else os.fsencode(value)


def path_of(row: tuple) -> str:
    return os.fsdecode(row[0])


def indexed_of(row: tuple) -> Indexed:
    """Of the columns `FILE`."""
    return Indexed(path_of(row), *row[1:])


def print_of(row: tuple) -> tuple[str, str, np.ndarray]:
    """Path, content and fingerprint, uint32 [N]."""
    import numpy as np

    return path_of(row), row[1], np.frombuffer(row[2] or b"", "<u4")


def described_of(row: tuple) -> Described:
    """Of the columns `DESCRIBED`."""
    import numpy as np

    found = dict(zip(Described.__match_args__, row, strict=True))
    tags, segment = tuple(json.loads(found["tags"])), bool(found["segment"])
    vector = None if found["vector"] is None else np.frombuffer(found["vector"], "<f2")
    return Described(**found | {"tags": tags, "segment": segment, "vector": vector})
