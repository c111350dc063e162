"""Uploads: files that clients sent, under random names in a folder of the service."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from auricle.printable import printable

LONGEST_NAME = 200  # characters


@dataclass(frozen=True)
class Upload:
    """``path``: where the service stored the file; ``name``: what the client calls it, for records
    and messages alone, which is never opened."""

    path: Path
    name: str

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def store(file: BinaryIO, client_name: str | None, folder: Path) -> Upload:
    """Copy an open file into ``folder``."""
    path = folder / secrets.token_hex(16)
    upload = Upload(path, base_name(client_name))
    try:
        file.seek(0)
        with path.open("xb") as copy:
            shutil.copyfileobj(file, copy, 2**20)
    except BaseException:
        upload.discard()
        raise
    return upload


@contextlib.contextmanager
def discarding(uploads: list[Upload]) -> Iterator[list[Upload]]:
    """Within, the uploads exist."""
    try:
        yield uploads
    finally:
        for one in uploads:
            one.discard()


def base_name(client_name: str | None) -> str:
    """The last part of a client's path, of any system, as it can be shown."""
    last = re.split(r"[/\\]", client_name or "")[-1].strip()
    return printable(last)[:LONGEST_NAME] or "recording"
