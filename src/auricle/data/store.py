"""A store of arrays that are computed once, such as an encoder's features, by keys of their source.

    <folder>/<digest of the settings>/ settings.json  index.sqlite  00000.bin  00001.bin ...

Other settings have another folder, so stale arrays are never read. A shard is a sequence of
little-endian arrays. Their positions are committed to the index when the bytes are on the disk. A
killed process leaves at most unused bytes at the end of a shard; the next one overwrites them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from auricle.data.index import Index
from auricle.errors import DataError
from auricle.files import atomic_writer, lock

if TYPE_CHECKING:
    import numpy as np

SHARD_BYTES = 1 << 30  # the next array after this starts another shard
COLUMNS = {"shard": "i4", "start": "i8", "frames": "i4"}  # start in bytes
TYPES = {"float16": "<f2", "float32": "<f4"}


class ArrayStore:
    """Arrays [frames, ``width``] of one ``dtype`` by key: 64 hexadecimal digits.

    Safe to pickle, to fork and to use from threads; several processes may write at once.

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

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_shards": {}}

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        return self._index.find(key) is not None

    def frames(self, key: str) -> int | None:
        """Frames of the array under ``key``, None if there is none."""
        row = self._index.find(key)
        return None if row is None else row[2]

    def get(self, key: str) -> np.ndarray:
        """A new array [frames, width] with the content under ``key``.

        Raises DataError: there is none, or its shard is damaged.
        """
        import numpy as np

        row = self._index.find(key)
        if row is None:
            raise DataError(f"{self.folder}: has no array {key}; run `auricle precompute` again")
        shard, start, frames = row
        array = np.empty((frames, self.width), TYPES[self.dtype])
        # Read, not mapped: mapped pages of all shards would count as this process's memory.
        if os.preadv(self._shard(shard).fileno(), [array.data], start) != array.nbytes:
            raise self._damaged(shard)
        return array

    def put_many(self, arrays: Iterable[tuple[str, np.ndarray]]) -> None:
        """Store (key, [frames, width]) pairs, all or none; existing keys keep their arrays.

        Raises DataError: a value is not finite in ``dtype``, or the disk is full; stored arrays
        stay valid.
        """
        packed = {key: self._packed(key, array) for key, array in arrays}
        with self._lock():
            packed = {key: array for key, array in packed.items() if key not in self}
            last = self._index.last()
            shard, start, frames = last or (0, 0, 0)
            end = start + frames * self.width * int(TYPES[self.dtype][-1])
            if end >= self.shard_bytes:
                shard, end = shard + 1, 0
            self._append(shard, end, list(packed.values()))
            rows = []
            for key, array in packed.items():
                rows.append((key, shard, end, len(array)))
                end += array.nbytes
            self._index.add(rows)

    def _append(self, shard: int, end: int, arrays: list[np.ndarray]) -> None:
        """Write ``arrays`` to the disk at ``end`` of a shard, over any bytes after it."""
        needed = sum(array.nbytes for array in arrays)
        try:
            file = os.open(self._path(shard), os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                if os.fstat(file).st_size < end:
                    raise self._damaged(shard)
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
            try:
                self._shards[number] = self._path(number).open("rb", buffering=0)
            except FileNotFoundError as error:
                raise self._damaged(number) from error
        return self._shards[number]

    def _path(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.bin"

    def _damaged(self, shard: int) -> DataError:
        return DataError(
            f"{self._path(shard)}: holds less than its index says; delete the folder"
            f" {self.folder}, and run `auricle precompute` again"
        )

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


def _write(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]
