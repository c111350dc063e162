"""Readers of samples: soundfile, FFmpeg or an array behind one protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, cast

from auricle.audio.chunks import share_present
from auricle.audio.damage import BLOCK_FRAMES, Damage, decoder
from auricle.audio.ffmpeg import FFmpegReader
from auricle.audio.mp3 import MP3_PREROLL, Tail, has_length, tail_of
from auricle.audio.ogg import links
from auricle.audio.source import Stream
from auricle.errors import AudioError
from auricle.extras import install_command

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np
    from soundfile import SoundFile

MAX_CHANNELS = 64
APPENDED_BYTES = 2**16  # after the end of an mp3; fewer may be tags
MIDI_SAMPLES = b"\xf0\x7e"  # libsndfile's reader of these prints to the standard output


class Reader(Protocol):
    """An open recording; ``format``: such as "wav" or "ogg vorbis", empty if that is not told."""

    rate_hz: int
    format: str

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Consecutive pieces, float [n, channels], from frame ``start`` on; none beyond the end.

        Seeks when called. Raises Damage then, if that place cannot be found, and between the
        pieces.
        """
        ...

    def duration_s(self) -> float:
        """Seconds of the whole recording by its header, 0 if unknown; call it after ``blocks``."""
        ...

    def declared_s(self) -> float:
        """As ``duration_s``, when the file was whole; 0 if the header does not say exactly."""
        ...

    def close(self) -> None: ...


def open_container(stream: Stream) -> Reader:
    """A reader of ``stream``, which stays open when the reader is closed.

    Raises AudioError: no decoder supports the format.
    """
    name = stream.name
    stream.seek(0)
    if stream.read(2) != MIDI_SAMPLES:
        with contextlib.suppress(Damage):
            parts = []
            for link in links(stream):
                with contextlib.suppress(Damage):
                    parts.append(SoundFileReader(link))
            return ChainedReader(parts) if parts else SoundFileReader(stream)
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise AudioError(
            f"{name}: not readable as wav, flac, ogg or mp3; if it is another format, such as m4a"
            f" or mp4, install PyAV: {install_command('av')}"
        ) from error
    try:
        return FFmpegReader(stream)
    except Damage as error:
        raise AudioError(
            f"{name}: not audio in a known format, or cut short; give a whole recording, or a wav"
        ) from error
    except LookupError as error:
        raise AudioError(f"{name}: has no sound track; give a recording with sound") from error


class SoundFileReader:
    """The formats of libsndfile: wav, flac, ogg (Vorbis, Opus), mp3, aiff, au, caf ...

    Raises Damage: the stream is of another format, or broken.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream, self._present = stream, share_present(stream)
        self._file = self._opened(stream)
        self.rate_hz, self._frames = self._file.samplerate, self._file.frames
        self._format = self._file.format
        name = self._format.removesuffix("EX").lower()  # WAVEX is a wav
        self.format = f"ogg {self._file.subtype.lower()}" if name == "ogg" else name
        self._begun = False

    def _opened(self, stream: Stream | Tail) -> SoundFile:
        import soundfile

        with decoder(self._stream):
            stream.seek(0)
            file = soundfile.SoundFile(cast("BinaryIO", stream))
        # soundfile seeks after every read of a seekable file. After a seek libmpg123 has lost the
        # frames that the next one depends on, so an mp3 read in blocks would be broken.
        file.seekable = lambda: False
        return file

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        begun, self._begun = self._begun, True
        start = min(start, self._frames)
        if start and self._format == "MP3" and (tail := tail_of(self._stream, start)):
            self.close()
            self._file = self._opened(tail)
            return self._read(start - tail.skip, start)
        if begun or start:  # open again: after a failed seek, all others fail
            self.close()
            self._file = self._opened(self._stream)
        first = max(0, start - MP3_PREROLL) if self._format == "MP3" else start
        if first:
            with decoder(self._stream):
                self._file.seek(first)
        return self._read(first, start)

    def _read(self, place: int, start: int) -> Iterator[np.ndarray]:
        """Blocks from frame ``start`` to the end; the file is at frame ``place``, before it."""
        while True:
            with decoder(self._stream):
                block = self._file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
            if not len(block):
                return
            sound = block[max(0, start - place) : self._frames - place]
            if len(sound):
                yield sound
            place += len(block)

    def duration_s(self) -> float:
        known = self._frames < 2**62  # libsndfile's "unknown" is 2^63-1
        return self._frames / self.rate_hz if known else 0.0

    def declared_s(self) -> float:
        """libsndfile shortens what the header of a wav declares to what the file holds."""
        if self._format == "MP3":
            heard, size = self._stream.tell(), self._stream.size
            appended = size - heard > APPENDED_BYTES  # a recording, before which libmpg123 stops
            if not has_length(self._stream):  # an estimate from the size of the file
                return self.duration_s() if appended else 0.0
            return self.duration_s() * (size / heard if appended else 1.0)
        return self.duration_s() / self._present

    def close(self) -> None:
        with contextlib.suppress(Exception):  # all that was wanted has been read
            self._file.close()


class ChainedReader:
    """Recordings one after the other, at the rate of the first."""

    def __init__(self, readers: Sequence[SoundFileReader]) -> None:
        self._readers, self.rate_hz = readers, readers[0].rate_hz
        self.format = readers[0].format

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        number, last = 0, len(self._readers) - 1
        start_s = start / self.rate_hz
        while number < last and start_s >= (length_s := self._readers[number].duration_s()):
            start_s -= length_s
            number += 1
        first, *others = self._readers[number:]
        parts = [first.blocks(round(start_s * first.rate_hz)), *(one.blocks() for one in others)]
        pairs = zip(parts, [first, *others], strict=True)
        return chain.from_iterable(self._at_rate(*pair) for pair in pairs)

    def _at_rate(
        self, blocks: Iterator[np.ndarray], reader: SoundFileReader
    ) -> Iterator[np.ndarray]:
        import numpy as np
        import soxr

        stream = None
        for block in blocks:
            if reader.rate_hz == self.rate_hz:
                yield block
                continue
            stream = stream or soxr.ResampleStream(reader.rate_hz, self.rate_hz, block.shape[1])
            yield stream.resample_chunk(block)
        if stream:
            yield stream.resample_chunk(np.zeros((0, block.shape[1]), np.float32), last=True)

    def duration_s(self) -> float:
        return sum(reader.duration_s() for reader in self._readers)

    def declared_s(self) -> float:
        return sum(reader.declared_s() for reader in self._readers)

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


class ArrayReader:
    """An (array, sample_rate_hz) pair. Integer samples are scaled to [-1, 1]."""

    format = "array"

    def __init__(self, source: tuple[Any, ...], name: str) -> None:
        import numpy as np

        if len(source) != 2:
            raise AudioError(f"{name}: a tuple of {len(source)}; give (array, sample_rate_hz)")
        try:
            self.rate_hz = int(source[1])
        except (TypeError, ValueError, OverflowError) as error:
            raise AudioError(f"{name}: sample rate {source[1]!r}; give a number of Hz") from error
        try:
            array = np.asarray(source[0])
        except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors with grad
            raise AudioError(f"{name}: not a numpy array ({error}); convert it to one") from error
        if array.ndim == 2 and array.shape[0] < array.shape[1]:
            array = array.T  # channels first
        if array.ndim not in (1, 2) or (array.size and array[:1].size > MAX_CHANNELS):
            raise AudioError(
                f"{name}: an array of shape {array.shape}; give [samples] or [samples, channels]"
                f" with at most {MAX_CHANNELS} channels"
            )
        if array.dtype.kind != "f" and array.dtype not in (np.int8, np.int16, np.int32, np.uint8):
            raise AudioError(
                f"{name}: an array of {array.dtype}; convert it to float32 in [-1, 1] or to int16"
            )
        self._array = array

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        array = self._array
        for first in range(start, array.size and len(array), BLOCK_FRAMES):
            block = array[first : first + BLOCK_FRAMES].reshape(-1, array[:1].size)
            if array.dtype.kind != "f":
                half = 2.0 ** (8 * array.dtype.itemsize - 1)  # 128 for 8 bits
                block = block / half - (1.0 if array.dtype.kind == "u" else 0.0)
            yield block

    def duration_s(self) -> float:
        return len(self._array) / self.rate_hz

    declared_s = duration_s

    def close(self) -> None:
        pass
