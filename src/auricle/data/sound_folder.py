"""A user's folder of recordings with a table of captions.

The table is CSV (TSV) or JSON Lines with a column ``audio`` and either ``caption`` or
``caption_1`` … ``caption_5``; in JSON Lines ``captions`` may hold a list. The columns ``id``,
``split``, ``start_s``, ``end_s``, ``licence`` and ``source`` are those of a manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from auricle.audio.find import audio_files
from auricle.data.clip import Clip
from auricle.data.held_out import hold_out
from auricle.data.manifest import OPTIONAL, clip_of
from auricle.data.reading import LeftOut, Reading
from auricle.errors import DataError
from auricle.files import is_file, json_rows, listed, read_table

TABLES = ("captions.csv", "captions.tsv", "captions.jsonl", "metadata.csv", "metadata.jsonl")
AUDIO_COLUMNS = ("audio", "file_name", "filename", "file", "path")  # the first that exists
JSON_LINES = (".jsonl", ".ndjson")


def read_folder(
    folder: Path | None = None,
    captions: Path | None = None,
    split: str = "train",
    validation: float = 0.0,
) -> Reading:
    """The clips of the table ``captions``, with recordings in ``folder``.

    Without ``captions``, the folder must hold one of `TABLES`; without ``folder``, recordings are
    beside the table. Rows without a split get ``split``; the share ``validation``, 0 to 1, of these
    clips moves to "val" (see `hold_out`). Rows of one recording (and section) become one clip. Rows
    without a recording or caption, and recordings in ``folder`` without a row, are left out.

    Raises DataError: the table is missing or broken, or lacks the columns.
    """
    if captions is None:
        if folder is None:
            raise DataError("neither a folder nor a table of captions; give one of them")
        captions = _table_in(folder)
    root = folder or captions.parent
    clips: dict[tuple[object, ...], Clip] = {}
    own_split: set[tuple[object, ...]] = set()
    left_out: list[LeftOut] = []
    for line, row in _rows(captions):
        where = f"{captions}:{line}"
        clip = _clip(row, root, split, where)
        if not is_file(clip.audio):
            left_out.append(LeftOut(where, "no recording", str(clip.audio)))
        elif not clip.captions:
            left_out.append(LeftOut(where, "no caption", str(clip.audio)))
        else:
            key = (clip.audio, clip.start_s, clip.end_s, clip.split)
            same = clips.get(key)
            clips[key] = replace(same, captions=same.captions + clip.captions) if same else clip
            if row.get("split"):
                own_split.add(key)
    if folder is not None:
        named = {clip.audio for clip in clips.values()}
        spare = [path for path in audio_files(folder) if path not in named]
        left_out += [LeftOut(str(path), "recording in no row") for path in spare]
    found = list(clips.values())
    if validation:
        found = hold_out(found, validation, [n for n, k in enumerate(clips) if k not in own_split])
    return Reading(found, left_out)


def _clip(row: Mapping[str, Any], root: Path, split: str, where: str) -> Clip:
    """The row's clip; its values are checked as in a manifest."""
    audio = next((row[name] for name in AUDIO_COLUMNS if row.get(name)), None)
    if not audio:
        raise DataError(f"{where}: names no recording; fill the column audio")
    known = {key: _typed(key, row[key]) for key in OPTIONAL if row.get(key) not in (None, "")}
    start = f"@{known['start_s']:g}" if isinstance(known.get("start_s"), float) else ""
    line = {
        "audio": audio,
        "captions": _captions(row),
        "id": str(row.get("id") or f"{audio}{start}"),
        "split": row.get("split") or split,
        **known,
    }
    try:
        return clip_of(line, root)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _captions(row: Mapping[str, Any]) -> list[str]:
    found = row.get("captions") or []
    texts = [*(found if isinstance(found, list) else [found]), row.get("caption")]
    texts += [row[key] for key in row if key.startswith("caption_")]
    return [text for text in texts if text]


def _typed(key: str, value: Any) -> Any:
    if key in ("start_s", "end_s") and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value  # refused in parse_clip
    return value


def _rows(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if table.suffix.lower() not in JSON_LINES:
        rows: Iterator[tuple[int, Mapping[str, Any]]] = read_table(table)
    else:
        rows = json_rows(table)
    for line, row in rows:
        if not any(name in row for name in AUDIO_COLUMNS) or not any(
            key in ("caption", "captions") or key.startswith("caption_") for key in row
        ):
            raise DataError(
                f"{table}:{line}: has {listed(row) or 'no columns'}; it needs audio, and caption"
                " or caption_1 … caption_5"
            )
        yield line, row


def _table_in(folder: Path) -> Path:
    found = [folder / name for name in TABLES if is_file(folder / name)]
    if len(found) != 1:
        have = " and ".join(path.name for path in found) or "none"
        raise DataError(
            f"{folder}: must hold one table of captions ({', '.join(TABLES)}), has {have}; name it"
            " with --captions"
        )
    return found[0]
