"""The decoder process: codecs run in it, so that a broken or hostile file ends this process alone.

    python -m auricle.audio.decoder_process MEMORY_BYTES WAIT_S

It answers the requests of `isolated.py`, which come over its standard input, until that is closed.
A request is a JSON list: a method of `Codecs` and its arguments. An answer is a `Header` as JSON,
and the samples of its blocks, float32. Before a JSON stands its length.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

from auricle.audio.damage import Damage
from auricle.audio.readers import Reader, open_container
from auricle.audio.source import opened
from auricle.errors import AudioError, EndOfSoundError
from auricle.schema import Range, check

if TYPE_CHECKING:
    import numpy as np

LENGTH = struct.Struct(">I")  # bytes of a JSON
BATCH_BYTES = 2**20  # of samples, after which an answer is sent
BATCH_BLOCKS = 256
MOST_CHANNELS = 1024  # that libsndfile reads
MOST_BYTES = 2**26  # of the samples of one answer, the last block of which may be long
KINDS = {kind.__name__: kind for kind in (EndOfSoundError, AudioError, Damage)}
OPEN_FILES = 64
LATE_S = 5.0  # after WAIT_S, when the asking process has not ended this one, and so has ended


@dataclass(frozen=True)
class Header:
    """An answer, but its samples.

    Attributes:
        number: Hz or seconds.
        frames, channels: of each block.
        planar: whether the samples of a channel stand together, of each block.
        error, message: what was raised.
    """

    number: float = 0.0
    frames: Annotated[tuple[int, ...], Range(0, BATCH_BLOCKS)] = ()
    channels: tuple[int, ...] = ()
    planar: tuple[bool, ...] = ()
    error: Literal["", "EndOfSoundError", "AudioError", "Damage"] = ""
    message: str = ""

    def __post_init__(self) -> None:
        number, frames, channels = self.number, self.frames, self.channels
        check(
            self,
            {
                "number": (math.isfinite(number), "finite"),
                "frames": (min(frames, default=0) >= 0, "0 or more"),
                "channels": (
                    len(frames) == len(channels) == len(self.planar)
                    and all(1 <= count <= MOST_CHANNELS for count in channels)
                    and self.sample_bytes <= MOST_BYTES,
                    f"from 1 to {MOST_CHANNELS}, in at most {MOST_BYTES} bytes",
                ),
            },
        )

    @property
    def shapes(self) -> Iterator[tuple[int, int, bool]]:
        """(frames, channels, planar) of each block."""
        return zip(self.frames, self.channels, self.planar, strict=True)

    @property
    def sample_bytes(self) -> int:
        return 4 * sum(frames * channels for frames, channels, _ in self.shapes)


def packed(value: Any) -> bytes:
    """A JSON with its length."""
    text = json.dumps(value).encode()
    return LENGTH.pack(len(text)) + text


class Codecs:
    """One recording after the other; the methods are those of its `Reader`."""

    def __init__(self) -> None:
        self._files = contextlib.ExitStack()
        self._reader: Reader
        self._batches: Iterator[list[np.ndarray]]

    def open(self, path: str, name: str) -> int:
        stream = self._files.enter_context(opened(path, name))
        self._reader = self._files.enter_context(contextlib.closing(open_container(stream)))
        return self._reader.rate_hz

    def blocks(self, start: int) -> None:
        self._batches = batches(self._reader.blocks(start))

    def more(self) -> list[np.ndarray]:
        """The next blocks; none at the end."""
        return next(self._batches, [])

    def duration_s(self) -> float:
        return self._reader.duration_s()

    def declared_s(self) -> float:
        return self._reader.declared_s()

    def close(self) -> None:
        self._files.close()


def batches(blocks: Iterator[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Some blocks at a time; an error comes after all that were decoded before it."""
    batch: list[np.ndarray] = []
    size = 0
    try:
        for block in blocks:
            batch.append(block)
            size += block.nbytes
            if len(batch) == BATCH_BLOCKS or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
    except tuple(KINDS.values()):
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def answer(codecs: Codecs, method: str, *arguments: Any) -> bytes:
    """What ``method`` of ``codecs`` gives or raises, as bytes; other errors end the process."""
    try:
        found = getattr(codecs, method)(*arguments)
    except tuple(KINDS.values()) as error:
        kind = next(name for name, kind in KINDS.items() if isinstance(error, kind))
        return packed(vars(Header(error=kind, message=str(error))))  # type: ignore[arg-type]
    if not isinstance(found, list):
        return packed(vars(Header(found or 0)))
    return b"".join([packed(vars(_header(found))), *map(_samples, found)])


def _header(blocks: Sequence[np.ndarray]) -> Header:
    frames, channels = zip(*(block.shape for block in blocks), strict=True) if blocks else ((), ())
    return Header(frames=frames, channels=channels, planar=tuple(map(_is_planar, blocks)))


def _is_planar(block: np.ndarray) -> bool:
    """Whether [n, C] is a view of [C, n]: the mean of the channels is rounded accordingly."""
    return block.strides[0] < block.strides[1]


def _samples(block: np.ndarray) -> memoryview:
    import numpy as np

    return np.ascontiguousarray(block.T if _is_planar(block) else block, np.float32).data


def serve(requests: BinaryIO, answers: BinaryIO, wait_s: float) -> None:
    """Answer until ``requests`` ends; the first answer, unasked, is that the process has begun."""
    codecs = Codecs()
    answers.write(packed({}))
    answers.flush()
    while length := requests.read(LENGTH.size):
        request = json.loads(requests.read(*LENGTH.unpack(length)))
        signal.setitimer(signal.ITIMER_REAL, wait_s + LATE_S)  # then the system ends the process
        answers.write(answer(codecs, *request))
        answers.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


def limit(memory_bytes: int) -> None:
    """Limit what this process may take: memory and open files; it may not write files."""
    try:
        import resource
    except ImportError:  # not on every system
        return
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
    }
    for kind, most in limits.items():
        _, highest = resource.getrlimit(kind)
        most = most if highest == resource.RLIM_INFINITY else min(most, highest)
        resource.setrlimit(kind, (most, most))


def taken_over() -> tuple[BinaryIO, BinaryIO]:
    """The standard input and output, which codecs that print reach no more."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for place in (0, 1):
        os.dup2(nothing, place)
    os.close(nothing)
    return requests, answers


def main() -> None:
    memory_bytes, wait_s = int(sys.argv[1]), float(sys.argv[2])
    for interruption in (signal.SIGINT, signal.SIGTERM):  # closing the input ends the process
        signal.signal(interruption, signal.SIG_IGN)
    limit(memory_bytes)
    import numpy as np  # noqa: F401  (before the first recording waits)
    import soundfile  # noqa: F401

    serve(*taken_over(), wait_s)


if __name__ == "__main__":
    main()
