"""Published mix-ups: 50,000 of Clotho's development split, by the authors of the paper,
`slseanwu/clotho-chatgpt-mixup-50K` on Hugging Face, clotho_development_chatgpt_mixups.json.

    {"dataset": [{"prompt": text, "selected_pair": [place, place], "audio_files": [name, name],
                  "true_captions": the captions mixed, "chatgpt_mixups": [text, ...]}, ...], ...}
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from auricle.data.clip import Clip
from auricle.data.clotho import Names
from auricle.data.manifest import read_manifest
from auricle.errors import DataError
from auricle.files import atomic_writer
from auricle.mixup.answers import MixupRow, to_json
from auricle.mixup.pairs import Pair

MODEL, PROMPT = "ChatGPT", "published"


@dataclass(frozen=True, slots=True)
class Imported:
    """Written ``rows``; entries and texts ``left_out`` by reason; ``missing``: names of recordings
    that the manifest lacks."""

    rows: int
    left_out: Counter[str]
    missing: frozenset[str]


class _Entry(NamedTuple):
    """A pair's file names, its mix-ups, and its captions in one of three shapes."""

    names: list[str]
    texts: list[Any]
    captions: Any


def import_published(
    path: str | os.PathLike[str],
    manifest: str | os.PathLike[str],
    output: str | os.PathLike[str],
    split: str = "train",
) -> Imported:
    """Write the mix-ups of ``path`` with recordings in ``manifest`` as rows, all or none.

    Recordings are found by file name, as Clotho's are (`auricle.data.clotho`). Each text of an
    entry becomes a row; rows are numbered in the order of the file.

    Raises:
        DataError: ``path`` is not that file, or none of its recordings is in ``manifest``.
    """
    path, output = Path(path), Path(output)
    entries = [_fields(entry, path, place) for place, entry in enumerate(_entries(path))]
    clips = Names(
        {clip.audio.name: clip for clip in read_manifest(manifest, split or None)},
        (name for entry in entries for name in entry.names),
    )
    left_out, missing, rows, number = Counter[str](), set[str](), 0, 0
    with atomic_writer(output) as file:
        for entry in entries:
            pair = [clips.find(name) for name in entry.names]
            missing.update(n for n, clip in zip(entry.names, pair, strict=True) if clip is None)
            for index, text in enumerate(entry.texts):
                row = _row(number, pair, _captions(entry, index), text)
                number += 1
                if isinstance(row, str):
                    left_out[row] += 1
                    continue
                file.write(to_json(row, output.parent) + "\n")
                rows += 1
        if not rows:
            raise DataError(
                f"{manifest}: has none of the recordings of {path}; give the manifest of Clotho's"
                " development split: auricle data clotho makes it"
            )
    return Imported(rows, left_out, frozenset(missing))


def _row(
    number: int, pair: list[Clip | None], captions: tuple[str, str] | None, text: object
) -> MixupRow | str:
    """The row, or the reason why there is none."""
    first, second = pair
    if not isinstance(text, str):
        return "mix-up is no text"
    if first is None or second is None:
        return "recording not in the manifest"
    if first.id == second.id:
        return "both recordings the same"
    first_own, second_own = ((clip.captions or ("",))[0] for clip in (first, second))
    made_of = Pair(number, 0, (first, second), captions or (first_own, second_own))
    return made_of.row(text, prompt=PROMPT, model=MODEL, provider="published")


def _entries(path: Path) -> list[Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); download it again") from error
    entries = content.get("dataset") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise DataError(
            f'{path}: has no list "dataset"; give clotho_development_chatgpt_mixups.json of'
            " slseanwu/clotho-chatgpt-mixup-50K"
        )
    return entries


def _fields(entry: Any, path: Path, place: int) -> _Entry:
    entry = entry if isinstance(entry, dict) else {}
    names, texts = entry.get("audio_files"), entry.get("chatgpt_mixups")
    if not isinstance(names, list) or len(names) != 2 or not all(isinstance(n, str) for n in names):
        raise DataError(f'{path}: entry {place} of "dataset" has no two names in "audio_files"')
    if not isinstance(texts, list | str):
        raise DataError(f'{path}: entry {place} of "dataset" has no texts in "chatgpt_mixups"')
    return _Entry(names, [texts] if isinstance(texts, str) else texts, entry.get("true_captions"))


def _captions(entry: _Entry, index: int) -> tuple[str, str] | None:
    """The source captions of text ``index``, None if they are unclear.

    The entry has two captions for all texts; or two for each text; or, for each recording, a list
    with one caption per text.
    """
    given = entry.captions
    if not isinstance(given, list):
        return None
    if len(given) == len(entry.texts) != 2 and isinstance(given[index], list):
        given = given[index]
    elif len(given) == 2 and all(isinstance(part, list) for part in given):
        given = [part[index] if index < len(part) else None for part in given]
    if len(given) == 2 and all(isinstance(text, str) for text in given):
        return given[0], given[1]
    return None
