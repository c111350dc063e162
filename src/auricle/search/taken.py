"""What an `auricle batch --task embed` has heard, taken into an index."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from auricle.search.indexer import Summary
from auricle.search.rows import Described, Indexed
from auricle.search.store import Index
from auricle.shards import as_bytes, read_folder
from auricle.watch import Progress, silent

TOGETHER = 500  # files that are written at once
# Columns of a file, and what an index has for null: of a recording whose worker ended.
UNKNOWN = {"size": -1, "mtime_ns": -1, "content": "", "duration_s": 0.0, "format": "", "error": ""}


def take_batch(index: Index, folder: Path, progress: Progress = silent) -> Summary:
    """Write the rows of the batch in ``folder`` into ``index``, of the same model. A file that is
    there with the same content stays.

    Raises DataError, OutputError: a shard or the index cannot be read or written.
    """
    summary, done = Summary(), 0
    rows = (row for row in read_folder(folder) if row["kind"] != "input")
    while some := list(islice(rows, TOGETHER)):
        found, prints = [], {}
        for row in some:
            file = _file(row)
            before = next(index.files(file.audio), None)
            if before and (before.content, before.reason) == (file.content, file.reason):
                summary.unchanged += 1
                continue
            found.append((file, [*map(_sound, row["sounds"] or ())]))
            if row["print"]:
                prints[file.audio] = np.frombuffer(as_bytes(row["print"]), "<u4")
            if file.reason:
                summary.failed += 1
            elif before:
                summary.changed += 1
            else:
                summary.new += 1
        index.add(found, prints)
        done += len(some)
        progress("recordings", done, 0)
    index.save_vectors()
    return summary


def _file(row: dict[str, Any]) -> Indexed:
    """``row`` as a file; one of several sections of a file has its clip's id in the name."""
    known: list[Any] = [
        row[name] if row[name] is not None else null for name, null in UNKNOWN.items()
    ]
    return Indexed(
        f"{row['audio']}#{row['clip']}" if row["section"] else row["audio"],
        *known,
    )


def _sound(row: dict[str, Any]) -> Described:
    vector = row["vector"] and np.frombuffer(as_bytes(row["vector"]), "<f2")
    return Described(**row | {"tags": tuple(row["tags"]), "vector": vector})
