"""Content keys of clips and texts: a result is found again if a path changes, and is never taken
for another recording's.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from auricle.audio.mixing import LEVEL_RANGE_DB, draw
from auricle.data.clip import FOLLOWED_BY, Clip
from auricle.data.index import Index
from auricle.errors import AudioError


def text_key(text: str) -> str:
    """SHA-256 of ``text`` in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class ContentKeys:
    """Keys of clips. Safe to pickle, to fork and to use from threads.

    ``folder`` stores a file's hash with its path, size and time, so unchanged files are not read
    again at every start; `save` stores the new hashes.

    Args:
        mix_range_db: the range in which `auricle.data.clip.load_clip` draws levels of mix-ups.
    """

    def __init__(
        self, folder: str | os.PathLike[str], mix_range_db: float = LEVEL_RANGE_DB
    ) -> None:
        self.mix_range_db = mix_range_db
        self._index = Index(Path(folder) / "files.sqlite", {"content": "S32"})
        self._new: dict[str, bytes] = {}

    def clip_key(self, clip: Clip) -> str:
        """A SHA-256 that identifies the result of `load_clip` without a seed, without decoding.

        Raises AudioError: a recording cannot be read.
        """
        return clip_key(clip, self._content, self.mix_range_db)

    def save(self) -> None:
        """Store the hashes that are new since the last call."""
        new = list(self._new.items())
        if new:
            self._index.add(new)
        for stamp, _ in new:
            self._new.pop(stamp, None)

    def _content(self, path: Path) -> str:
        """SHA-256 of the bytes of the file ``path``."""
        try:
            status = path.stat()
            name = os.path.abspath(path)  # noqa: PTH100  (of a link, not of its target)
            stamp = text_key(json.dumps([name, status.st_size, status.st_mtime_ns]))
            if stamp in self._new:
                return self._new[stamp].hex()
            if row := self._index.find(stamp):
                return row[0].ljust(32, b"\0").hex()  # NumPy drops zeros at the end
        except OSError as error:
            raise _unreadable(path, error) from error
        content = content_of(path)
        self._new[stamp] = bytes.fromhex(content)
        return content


def clip_key(
    clip: Clip, content: Callable[[Path], str], mix_range_db: float = LEVEL_RANGE_DB
) -> str:
    """As `ContentKeys.clip_key`, of what ``content`` gives for the files: their SHA-256."""
    parts: list[Any] = [content(clip.audio), clip.start_s or 0.0, clip.end_s]
    if other := clip.mix:
        level_db, offset = draw(clip.id, range_db=mix_range_db)
        parts += [content(other.audio), other.start_s or 0.0, other.end_s]
        parts.append(level_db if other.level_db is None else other.level_db)
        if other.relation == FOLLOWED_BY:
            parts.append(FOLLOWED_BY)
        else:
            parts += [offset] if other.offset_s is None else ["s", other.offset_s]
    return text_key(json.dumps(parts))


def content_of(path: Path) -> str:
    """SHA-256 of the bytes of a file. Raises AudioError: it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> AudioError:
    return AudioError(f"{path}: cannot be read ({error.strerror}); check the path")
