"""Readers under test: what makes an input for each, and what reads it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any


def copied(entry: Path, folder: Path) -> Path:
    """A file or folder of the corpus, copied into ``folder``."""
    place = folder / entry.name
    if entry.is_dir():
        shutil.copytree(entry, place)
    else:
        shutil.copy(entry, place)
    return place


@dataclass(frozen=True)
class Reader:
    """What is under test.

    Attributes:
        write: writes a mutated input into an empty folder; returns its path. All that it decides
            comes from the generator of random numbers.
        read: reads an input as the library does for a user, and asserts what must hold.
        named: whether a refusal must name the input's file or folder.
        restore: lays an entry of the corpus into an empty folder; returns the input's path.
    """

    write: Callable[[Random, Path], Path]
    read: Callable[[Path], Any]
    named: bool = True
    restore: Callable[[Path, Path], Path] = copied


# Each has a file here, whose READER it is; and the share of a run's inputs that it gets.
SHARES = {
    "audio": 30,
    "isolated": 2,
    "tags": 12,
    "manifests": 14,
    "tables": 26,
    "recipes": 16,
    "subtitles": 40,
    "requests": 6,
    "ranges": 20,
    "indexes": 12,
    "stores": 12,
    "checkpoints": 6,
    "models": 2,
}


def reader(name: str) -> Reader:
    found: Reader = import_module(f"tests.fuzz.{name}").READER
    return found
