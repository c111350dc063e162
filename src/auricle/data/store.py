"""A store of arrays that are computed once, such as an encoder's features, by keys of their source.

    <folder>/<digest of the settings>/ settings.json  index.sqlite  00000.bin  00001.bin ...

Other settings have another folder, so stale arrays are never read. A shard is a sequence of
little-endian arrays. Their positions and checksums are committed to the index when the bytes are on
the disk. A killed process leaves at most unused bytes at the end of a shard; the next one
overwrites them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeGuard

from auricle.data.index import ABSENT, Index
from auricle.errors import DataError
from auricle.files import atomic_writer
from auricle.locks import lock, lock_byte, unlock_byte

if TYPE_CHECKING:
    import numpy as np

SHARD_BYTES = 1 << 30  # the next array after this starts another shard
# start in bytes; checksum: CRC-32, ABSENT in stores from before there were any
COLUMNS = {"shard": "i4", "start": "i8", "frames": "i4", "checksum": "i8"}
DAMAGED = -2  # in place of a checksum: the array was found damaged and is to be computed again
TYPES = {"float16": "<f2", "float32": "<f4"}


class ArrayStore:
    """Arrays [frames, ``width``] of one ``dtype`` by key: 64 hexadecimal digits.

    Safe to pickle, to fork and to use from threads; several processes may write at once. They share
    what is to be computed by `claim`.

    Args:
        settings: everything else that the arrays depend on, as JSON values.
        shard_bytes: a shard of this size is closed.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        settings: Mapping[str, Any],
        width: int,
        dtype: Literal["float16", "float32"] = "float16",
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        self.settings = {**settings, "width": width, "dtype": dtype}
        text = json.dumps(self.settings, sort_keys=True)
        self.folder = Path(folder) / hashlib.sha256(text.encode()).hexdigest()[:16]
        self.width, self.dtype, self.shard_bytes = width, dtype, shard_bytes
        self._index = Index(self.folder / "index.sqlite", COLUMNS)
        self._shards: dict[int, BinaryIO] = {}
        self._claims: BinaryIO | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_shards": {}, "_claims": None}

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        return self.frames(key) is not None

    def frames(self, key: str) -> int | None:
        """Frames of the array under ``key``, None if there is none."""
        row = self._index.find(key)
        return row[2] if _sound(row) else None

    def get(self, key: str) -> np.ndarray:
        """A new array [frames, width] with the content under ``key``.

        Raises DataError: there is none, or its shard is damaged.
        """
        row = self._index.find(key)
        array = self._read(row)
        if array is None and (newest := self._index.newest(key)) != row:
            array = self._read(row := newest)  # another process has put it again
        if array is not None:
            return array
        if not _sound(row):
            raise DataError(f"{self.folder}: has no array {key}; run `auricle precompute` again")
        raise DataError(
            f"{self._path(row[0])}: array {key} is damaged; run `auricle precompute` again, or"
            " `auricle train --resume`, which compute it again"
        )

    def check(self, key: str) -> bool:
        """Whether the array under ``key`` is as it was put. One that is not is no longer there, for
        all processes."""
        row = self._index.newest(key)
        if self._read(row) is not None:
            return True
        if _sound(row):
            with self._lock():
                if self._index.newest(key) == row:  # nor put again meanwhile
                    self._index.add([(key, *self._end(), 0, DAMAGED)])
            self._index.newest(key)  # `in` then knows
        return False

    def claim(self, key: str, wait: bool = False) -> bool:
        """Whether this process, and no other, is to compute the array under ``key``: until
        `release` or its end, however it ends. ``wait`` for another process that has claimed it."""
        if self._claims is None:
            with self._lock():  # once: to close a second descriptor would end all claims
                self._claims = self._claims or (self.folder / "claims").open("ab")
        return lock_byte(self._claims, int(key[:15], 16), wait)

    def release(self, keys: Iterable[str]) -> None:
        """Give claims back."""
        for key in keys:
            if self._claims is not None:
                unlock_byte(self._claims, int(key[:15], 16))

    def release_all(self) -> None:
        """Give back all claims of this process."""
        claims, self._claims = self._claims, None
        if claims is not None:
            claims.close()

    def _read(self, row: tuple | None) -> np.ndarray | None:
        """The array of a row of the index; None if there is none, or other bytes."""
        import numpy as np

        if not _sound(row):
            return None
        shard, start, frames, checksum = row
        end = start + frames * self.width * int(TYPES[self.dtype][-1])
        try:
            file = self._shard(shard).fileno()
            if min(shard, start, frames) < 0 or os.fstat(file).st_size < end:
                return None  # before memory is taken for it
            array = np.empty((frames, self.width), TYPES[self.dtype])
            # Read, not mapped: mapped pages of all shards would count as this process's memory.
            whole = os.preadv(file, [array.data], start) == array.nbytes
        except OSError:  # no such shard, or a disk that fails
            return None
        return array if whole and checksum in (ABSENT, zlib.crc32(array.data)) else None

    def put_many(self, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
        """Store (key, [frames, width]) pairs, all or none; existing keys keep their arrays.

        Raises DataError: a value is not finite in ``dtype``, or the disk is full; stored arrays
        stay valid.
        """
        packed = {key: self._packed(key, array) for key, array in arrays}
        with self._lock():
            there = {key for key in packed if _sound(self._index.newest(key))}
            packed = {key: array for key, array in packed.items() if key not in there}
            shard, end = self._end()
            self._append(shard, end, list(packed.values()))
            rows = []
            for key, array in packed.items():
                rows.append((key, shard, end, len(array), zlib.crc32(array.data)))
                end += array.nbytes
            self._index.add(rows)

    def _end(self) -> tuple[int, int]:
        """Shard and byte where the next array goes: after the last one, if that is still there."""
        shard, start, frames, _ = self._index.last() or (0, 0, 0, 0)
        end = start + frames * self.width * int(TYPES[self.dtype][-1])
        try:
            size = self._path(shard).stat().st_size
        except FileNotFoundError:
            size = 0
        if min(shard, start, frames) >= 0 and end <= size and end < self.shard_bytes:
            return shard, end
        return max(shard, 0) + 1, 0

    def _append(self, shard: int, end: int, arrays: list[np.ndarray]) -> None:
        """Write ``arrays`` to the disk at ``end`` of a shard, over any bytes after it."""
        needed = sum(array.nbytes for array in arrays)
        try:
            file = os.open(self._path(shard), os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.ftruncate(file, end)
                try:
                    os.lseek(file, end, os.SEEK_SET)
                    for array in arrays:
                        _write(file, array.reshape(-1).view("u1").data)
                    os.fsync(file)
                except OSError:
                    os.ftruncate(file, end)
                    raise
            finally:
                os.close(file)
        except OSError as error:
            free = shutil.disk_usage(self.folder).free
            raise DataError(
                f"{self.folder}: {needed / 1e6:.1f} MB cannot be written ({error.strerror}; the"
                f" disk has {free / 1e6:.1f} MB left); make room and run this again, stored arrays"
                " stay"
            ) from error

    def _packed(self, key: str, array: np.ndarray) -> np.ndarray:
        import numpy as np

        assert array.ndim == 2, array.shape
        assert array.shape[1] == self.width, array.shape
        with np.errstate(over="ignore"):  # refused below
            packed = np.ascontiguousarray(array, TYPES[self.dtype])
        if not np.isfinite(packed).all():
            raise DataError(f"{self.folder}: {key}: has values that are not finite {self.dtype}s")
        return packed

    def _shard(self, number: int) -> BinaryIO:
        """The shard, open for reading; every read gives its offset, so threads can share it."""
        if number not in self._shards:
            self._shards[number] = self._path(number).open("rb", buffering=0)
        return self._shards[number]

    def _path(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.bin"

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """A lock for one writer at a time; others wait."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (path := self.folder / "settings.json").exists():
                with atomic_writer(path) as settings:
                    settings.write(json.dumps(self.settings, indent=1) + "\n")
            file = (self.folder / "lock").open("ab")
        except OSError as error:
            raise DataError(
                f"{self.folder}: cannot be written ({error.strerror}); name another folder for the"
                " cache, or make room"
            ) from error
        with file:
            lock(file, wait=True)
            yield


def _sound(row: tuple | None) -> TypeGuard[tuple]:
    """Whether a row of the index has an array."""
    return row is not None and row[3] != DAMAGED


def _write(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]
