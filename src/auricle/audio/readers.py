"""Readers of samples: soundfile, FFmpeg or an array behind one protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from auricle.audio.mp3 import MP3_PREROLL, Tail, tail_of
from auricle.errors import AudioError

if TYPE_CHECKING:
    import numpy as np
    from av import AudioFrame
    from soundfile import SoundFile

PREROLL_S = 0.2  # decoded before a section: packets of some codecs depend on earlier ones
BLOCK_FRAMES = 4096  # small, because damage loses a whole block
MAX_CHANNELS = 64


class Reader(Protocol):
    """An open recording. ``damage``: the exceptions that ``blocks`` raises for broken data."""

    rate_hz: int
    damage: tuple[type[Exception], ...]

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Consecutive pieces, float [n, channels], from frame ``start`` on; none beyond the end.

        Seeks when called, and may raise one of ``damage`` if that place cannot be found.
        """
        ...

    def duration_s(self) -> float:
        """Declared duration of the whole recording in seconds; call it after ``blocks``."""
        ...

    def close(self) -> None: ...


def open_container(stream: BinaryIO, name: str) -> Reader:
    """A reader of ``stream`` (seekable, binary), which stays open when the reader is closed.

    Raises AudioError, with ``name``: no decoder supports the format.
    """
    import soundfile

    stream.seek(0)
    try:
        return SoundFileReader(stream)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: headerless .raw
        pass
    try:
        import av
    except ImportError as error:
        raise AudioError(
            f"{name}: not readable as wav, flac, ogg or mp3; if it is another format, such as m4a"
            ' or mp4, install PyAV: pip install "auricle[av]"'
        ) from error
    stream.seek(0)
    try:
        return FFmpegReader(stream)
    except (av.FFmpegError, ValueError) as error:
        raise AudioError(
            f"{name}: not audio in a known format, or cut short; give a whole recording, or a wav"
        ) from error
    except LookupError as error:
        raise AudioError(f"{name}: has no sound track; give a recording with sound") from error


class SoundFileReader:
    """The formats of libsndfile: wav, flac, ogg (Vorbis, Opus), mp3, aiff, au, caf ..."""

    def __init__(self, stream: BinaryIO) -> None:
        import soundfile

        self.damage: tuple[type[Exception], ...] = (soundfile.LibsndfileError,)
        self._stream = stream
        self._file = self._opened(stream)
        self.rate_hz, self._frames = self._file.samplerate, self._file.frames
        self._format = self._file.format
        self._begun = False

    def _opened(self, stream: BinaryIO | Tail) -> SoundFile:
        import soundfile

        file = soundfile.SoundFile(stream)
        # soundfile seeks after every read of a seekable file. After a seek libmpg123 has lost the
        # frames that the next one depends on, so an mp3 read in blocks would be broken.
        file.seekable = lambda: False
        return file

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        begun, self._begun = self._begun, True
        start = min(start, self._frames)
        if start and self._format == "MP3" and (tail := tail_of(self._stream, start)):
            self._file = self._opened(tail)
            return self._read(start - tail.skip, start)
        if begun or start:  # open again: after a failed seek, all others fail
            self._stream.seek(0)
            self._file = self._opened(self._stream)
        first = max(0, start - MP3_PREROLL) if self._format == "MP3" else start
        if first:
            self._file.seek(first)
        return self._read(first, start)

    def _read(self, place: int, start: int) -> Iterator[np.ndarray]:
        """Blocks from frame ``start`` to the end; the file is at frame ``place``, before it."""
        while len(block := self._file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            sound = block[max(0, start - place) : self._frames - place]
            if len(sound):
                yield sound
            place += len(block)

    def duration_s(self) -> float:
        known = self._frames < 2**62  # libsndfile's "unknown" is 2^63-1
        return self._frames / self.rate_hz if known else 0.0

    def close(self) -> None:
        self._file.close()


class FFmpegReader:
    """The formats of FFmpeg, through PyAV: m4a, mp4, mkv, webm ... Reads the best sound track."""

    def __init__(self, stream: BinaryIO) -> None:
        import av

        self.damage: tuple[type[Exception], ...] = (av.FFmpegError, ValueError)
        # A playlist must not make FFmpeg open other files or addresses, or wait for them.
        options = {"protocol_whitelist": "none", "max_reload": "0"}
        self._container = av.open(stream, "r", metadata_errors="replace", options=options)
        best = self._container.streams.best("audio")
        if not isinstance(best, av.AudioStream):
            self._container.close()
            raise LookupError("no audio stream")
        self._stream = best
        self.rate_hz: int = best.rate
        self._origin: int | None = None  # time stamp of the first frame
        self._end_s = 0.0  # of the last packet seen

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        if not start and self._origin is None:
            return self._decoded(self._frames())
        if self._origin is None:
            next(self._frames(), None)
        first_s = (self._container.start_time or 0) / 1e6
        self._container.seek(round(1e6 * (first_s + max(0.0, start / self.rate_hz - PREROLL_S))))
        frames = self._frames()
        first = next(frames, None)
        if first is None:
            return iter(())
        at = self._place_of(first)
        if at > start:
            raise ValueError(f"frame {start} is not found; the seek led to {at}")
        return self._from(start, at, self._decoded(chain([first], frames)))

    def _from(self, start: int, at: int, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """``blocks`` that begin at frame ``at``, without the frames before ``start``."""
        for block in blocks:
            if at + len(block) > start:
                yield block[max(0, start - at) :]
            at += len(block)

    def _place_of(self, frame: AudioFrame) -> int:
        """The number of the frame's first sample.

        Raises ValueError: the container has no time stamps.
        """
        if frame.pts is None or self._origin is None or frame.time_base is None:
            raise ValueError("no time stamps")
        return round((frame.pts - self._origin) * frame.time_base * self.rate_hz)

    def _decoded(self, frames: Iterable[AudioFrame]) -> Iterator[np.ndarray]:
        import av

        resampler = av.AudioResampler(format="fltp", rate=self.rate_hz)
        for frame in frames:
            for converted in resampler.resample(frame):
                yield converted.to_ndarray().T

    def _frames(self) -> Iterator[AudioFrame]:
        import av

        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue  # FFmpeg's own tools also skip a damaged packet
            for frame in frames:
                if self._origin is None:
                    self._origin = frame.pts
                yield frame

    def _packets(self) -> Iterator:
        for packet in self._container.demux(self._stream):
            if packet.pts is not None and packet.time_base is not None:
                end = packet.pts + (packet.duration or 0) - (self._stream.start_time or 0)
                self._end_s = max(self._end_s, float(end * packet.time_base))
            yield packet

    def duration_s(self) -> float:
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        if self._container.duration is not None:
            return self._container.duration / 1_000_000  # AV_TIME_BASE
        for _ in self._packets():  # streamed webm declares none: read on without decoding
            pass
        return self._end_s

    def close(self) -> None:
        self._container.close()


class ArrayReader:
    """An (array, sample_rate_hz) pair. Integer samples are scaled to [-1, 1]."""

    damage: tuple[type[Exception], ...] = ()

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

    def close(self) -> None:
        pass
