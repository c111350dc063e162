"""Sources: a path, bytes or an open file -> one seekable binary stream that decoders may read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import select
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeVar, cast

from auricle.errors import AudioError, reason

PIPE_WAIT_S = 30.0  # for the next byte of a named pipe
PIPE_MEMORY = 2**26  # bytes of a pipe that are held in memory; beyond, in a temporary file
PIPE_MOST = 2**32  # bytes of a pipe; no WAV is longer
CHUNK = 2**20
IN_MEMORY = 2**22  # bytes of a file that is read once, for its hash and its decoder; longer: twice

T = TypeVar("T")


class Stream:
    """A seekable binary stream from which decoders in C read.

    Such decoders lose the exceptions of their callbacks: print them, or take them for the end of
    the file. So the first failure is kept, the rest reads as empty, and `check` raises it. A
    decoder gets no more bytes than it asked for, however long that is; places before the start,
    which broken headers lead to, are no failure, but are not reached.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name, self._stream = name, stream
        self._failure: BaseException | None = None
        self.size = self._go(0, os.SEEK_END)
        self._place = self._go(0)
        self.check()

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.size - self._place)
        size = left if size < 0 else min(size, left)
        data = self._try(lambda: self._stream.read(size), b"")[:size]
        self._place += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        place = offset + (0, self._place, self.size)[whence]
        if not 0 <= place < 2**63:
            return -1
        self._place = self._go(place)
        return self._place

    def tell(self) -> int:
        return self._place

    def check(self) -> None:
        """Raise the first failure of the stream, if there was one, as AudioError."""
        failure = self._failure
        if isinstance(failure, Exception):
            why = reason(getattr(failure, "strerror", None) or failure)
            raise AudioError(
                f"{self.name}: cannot be read ({why}); check the disk or the"
                " connection, or copy the file again"
            ) from failure
        if failure is not None:  # such as an interruption
            raise failure

    def _go(self, offset: int, whence: int = os.SEEK_SET) -> int:
        def go() -> int:
            self._stream.seek(offset, whence)
            return self._stream.tell()

        return self._try(go, 0)

    def _try(self, call: Callable[[], T], otherwise: T) -> T:
        if self._failure is None:
            try:
                return call()
            except BaseException as failure:
                self._failure = failure
        return otherwise


@contextlib.contextmanager
def opened(source: str | os.PathLike[str] | BinaryIO | bytes, name: str) -> Iterator[Stream]:
    """``source`` as a stream at its start; closed at the end if it was opened here.

    A pipe is first copied, because decoders seek. Raises AudioError: it cannot be opened or read,
    or is empty.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(source, bytes):
            source = io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            source = stack.enter_context(_opened_path(Path(source), name))
        if not _seekable(source):
            source = stack.enter_context(copied(source.read, name))
        stream = Stream(source, name)
        if not stream.size:
            raise AudioError(f"{name}: the file is empty (0 bytes); give one with sound in it")
        yield stream


def digest(data: bytes = b"") -> hashlib.blake2b:
    """What a recording's content is known by: BLAKE2b of its bytes, in 16 bytes."""
    return hashlib.blake2b(data, digest_size=16)


def digest_of(path: Path, name: str) -> str:
    """The `digest` of a file, in hexadecimal. Raises AudioError: it cannot be read."""
    found = digest()
    with opened(path, name) as stream:
        while piece := stream.read(CHUNK):
            found.update(piece)
        stream.check()
    return found.hexdigest()


def read_hashed(path: Path, name: str) -> tuple[str, Path | dict[str, Any]]:
    """The digest of a file, and what `load_audio` takes: its bytes, so that it is read once, or of
    a file of more than `IN_MEMORY` the path.

    Raises AudioError: it cannot be read.
    """
    with opened(path, name) as stream:
        if stream.size > IN_MEMORY:
            return digest_of(path, name), path
        data = stream.read()
        stream.check()
    return digest(data).hexdigest(), {"bytes": data, "path": name}


def _seekable(source: Any) -> bool:
    try:
        return hasattr(source, "seekable") and bool(source.seekable())
    except ValueError:  # a closed file: reading it says so
        return False


@contextlib.contextmanager
def _opened_path(path: Path, name: str) -> Iterator[BinaryIO]:
    try:
        mode = path.stat().st_mode
        opening: IO[bytes]
        if stat.S_ISFIFO(mode):
            # Opening a pipe for reading waits for its writer, unless told not to.
            opening = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
        elif stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # open() refuses a folder
            opening = path.open("rb")
        else:
            raise OSError(0, "a device or a socket")
    except (OSError, ValueError) as error:
        raise AudioError(f"{name}: {_refusal(error)}") from error
    with opening as file:
        if stat.S_ISFIFO(mode):
            with copied(lambda size: _next_bytes(file.fileno(), size, name), name) as copy:
                yield copy
        else:
            yield cast(BinaryIO, file)


def _refusal(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "no such file; check the path"
        case IsADirectoryError():
            return "a folder, but one recording is needed; name the files in it"
        case PermissionError():
            return "not readable (permission denied); allow it, for example with chmod +r"
        case OSError():
            return f"cannot be opened ({error.strerror}); give a file with a recording"
    return f"not a valid path ({error}); check it"


def _next_bytes(pipe: int, size: int, name: str) -> bytes:
    """The next bytes of a pipe that does not block; none when its writer has closed it.

    Raises AudioError: nothing is written in `PIPE_WAIT_S`.
    """
    give_up = time.monotonic() + PIPE_WAIT_S
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)  # before its first writer comes, this waits, too
    while (left_s := give_up - time.monotonic()) > 0:
        if waiting.poll(1000 * left_s):
            with contextlib.suppress(BlockingIOError):
                return os.read(pipe, size)
    raise AudioError(
        f"{name}: a pipe into which nothing was written for {PIPE_WAIT_S:g} s; start its writer,"
        " or give a file"
    )


class _Copy(tempfile.SpooledTemporaryFile[bytes]):
    name = ""  # of the recording, as an open file has


def copied(read: Callable[[int], bytes], name: str) -> BinaryIO:
    """All that ``read`` gives, such as a pipe's, as a file that can seek and is called ``name``.

    Raises AudioError: it cannot be read or stored to its end, or is longer than `PIPE_MOST`.
    """
    copy = _Copy(PIPE_MEMORY)
    copy.name = name
    try:
        while piece := read(CHUNK):
            copy.write(piece)
            if copy.tell() > PIPE_MOST:
                raise AudioError(
                    f"{name}: a pipe of more than {PIPE_MOST / 2**30:g} GiB; give a file"
                )
    except AudioError:
        raise
    except Exception as error:  # of the user's stream, or of the disk of temporary files
        raise AudioError(
            f"{name}: cannot be read to its end ({reason(error)}); check its writer and the"
            f" room in {tempfile.gettempdir()}"
        ) from error
    return cast(BinaryIO, copy)
