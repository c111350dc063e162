"""Inputs: INPUT of a batch -> its items, one by one, however many they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from auricle.audio.find import Input, find_audio_files, recordings_below
from auricle.batch.items import Item, item_of


def items_of(text: str) -> Iterator[Item]:
    """The items of INPUT.

    Raises DataError: it is nothing that can be read.
    """
    if Path(text).is_dir():
        yield from map(_file, recordings_below(Path(text)))
    else:
        yield from map(_file, find_audio_files([text]))


def _file(one: Input) -> Item:
    place = os.path.abspath(one.name)  # noqa: PTH100  (keeps links apart)
    if one.error or one.path is None:
        return item_of("broken", one.name, place, detail=one.reason(one.error))
    try:
        status = one.path.stat()
    except OSError:  # its reader says why
        return item_of("file", one.name, place)
    return item_of("file", one.name, place, [status.st_size, status.st_mtime_ns])
