"""Readers of samples: soundfile, FFmpeg or an array behind one protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, cast

from auricle.audio.chunks import share_present
from auricle.audio.mp3 import MP3_PREROLL, Tail, has_length, tail_of
from auricle.audio.ogg import links
from auricle.audio.source import Stream
from auricle.errors import AudioError
from auricle.extras import install_command

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy as np
    from av import AudioFrame, AudioResampler
    from av.audio.stream import AudioStream
    from soundfile import SoundFile

PREROLL_S = 0.2  # decoded before a section: packets of some codecs depend on earlier ones
BLOCK_FRAMES = 4096  # small, because damage loses a whole block
MAX_CHANNELS = 64
SAMPLE_RATES_HZ = (1_000, 1_000_000)  # telephone to ultrasound, with a margin on both sides
APPENDED_BYTES = 2**16  # after the end of an mp3; fewer may be tags
IDLE_PACKETS = 100_000  # without a sample between them, where broken files may go on for ever
MIDI_SAMPLES = b"\xf0\x7e"  # libsndfile's reader of these prints to the standard output
# Formats of FFmpeg whose headers declare the duration of a track. In others it is an estimate; in
# those with `SHARED` headers it is that of the longest track.
DECLARING = {"mov,mp4,m4a,3gp,3g2,mj2", "avi", "wv", "tta", "caf"}
SHARED = {"matroska,webm", "flv"}
# Formats whose packets hold time stamps; of others, FFmpeg counts the samples.
STAMPED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flv", "asf", "mpegts", "mpeg"}
# Seconds without packets that are silence in the recording: less is imprecision of the time stamps,
# more is taken for broken ones.
GAP_S = (0.1, 600.0)


class Damage(Exception):  # noqa: N818  (caught where a recording may end)
    """Data that a decoder cannot read."""


@contextlib.contextmanager
def decoder(stream: Stream) -> Iterator[None]:
    """The border to the decoders: all that they raise is `Damage`, whatever its type.

    On broken files soundfile and PyAV raise their own errors, but also OSError, AttributeError,
    ValueError, TypeError, OverflowError ... Raises AudioError: not the data are broken, but the
    stream cannot be read, or the memory is too small for what its header declares.
    """
    try:
        yield
    except MemoryError as error:
        raise AudioError(
            f"{stream.name}: needs more memory than there is, by its header; get a whole copy of"
            " the file"
        ) from error
    except (AudioError, Damage):
        raise
    except Exception as error:
        stream.check()
        raise Damage(str(error)) from error
    stream.check()


class Reader(Protocol):
    """An open recording."""

    rate_hz: int

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


class FFmpegReader:
    """The formats of FFmpeg, through PyAV: m4a, mp4, mkv, webm ... Reads the best sound track.

    Raises Damage: the stream is of an unknown format, or broken. LookupError: it has no sound.
    """

    def __init__(self, source: Stream) -> None:
        import av

        self._source = source
        # A playlist must not make FFmpeg open other files or addresses, or wait for them.
        options = {"protocol_whitelist": "none", "max_reload": "0"}
        with decoder(source):
            source.seek(0)
            self._container = av.open(source, "r", metadata_errors="replace", options=options)
        try:
            with decoder(source):
                best = self._container.streams.best("audio")
                if best is not None:
                    self._stream = cast("AudioStream", best)
                    self.rate_hz = int(self._stream.rate or 0)  # no attribute: unknown codec
        except BaseException:
            self.close()
            raise
        if best is None:
            self.close()
            raise LookupError("no audio stream")
        self._stamped = self._container.format.name in STAMPED
        self._origin: int | None = None  # time stamp of the recording's first sample
        self._late_s = 0.0  # of its silence before the first frame
        self._end_s = 0.0  # of the last packet seen

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        if not start and self._origin is None:
            return self._decoded(self._frames(), 0)
        if self._origin is None:
            next(self._frames(), None)
        first_s = (self._container.start_time or 0) / 1e6
        with decoder(self._source):
            place_s = first_s + max(0.0, start / self.rate_hz - PREROLL_S)
            self._container.seek(round(1e6 * place_s))
        frames = self._frames()
        first = next(frames, None)
        if first is None:
            return iter(())
        at = self._place_of(first) if start else 0
        if at > start:  # in a gap, perhaps, which decoding from the start tells
            raise Damage(f"frame {start} is not found; the seek led to {at}")
        return self._from(start, at, self._decoded(chain([first], frames), at))

    def _from(self, start: int, at: int, blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """``blocks`` that begin at frame ``at``, without the frames before ``start``."""
        for block in blocks:
            if at + len(block) > start:
                yield block[max(0, start - at) :]
            at += len(block)

    def _place_of(self, frame: AudioFrame, otherwise: int | None = None) -> int:
        """The number of the frame's first sample; ``otherwise``, without time stamps.

        Raises Damage: there is neither.
        """
        with decoder(self._source):
            if frame.pts is None or self._origin is None or frame.time_base is None:
                if otherwise is None:
                    raise Damage("no time stamps")
                return otherwise
            return round((frame.pts - self._origin) * frame.time_base * self.rate_hz)

    def _decoded(self, frames: Iterable[AudioFrame], place: int) -> Iterator[np.ndarray]:
        """The samples from number ``place`` on, with silence where there are no packets: before
        a sound track that begins after its film, or where a recorder was muted."""
        import numpy as np

        kind = resampler = None
        for frame in frames:
            gap = self._place_of(frame, place) - place if self._stamped else 0
            if GAP_S[0] * self.rate_hz < gap <= GAP_S[1] * self.rate_hz:
                for first in range(0, gap, BLOCK_FRAMES):
                    yield np.zeros((min(BLOCK_FRAMES, gap - first), 1), np.float32)
                place += gap
            with decoder(self._source):
                if kind != (kind := (frame.format.name, frame.layout.name, frame.sample_rate)):
                    resampler = self._converter(frame)
                parts = resampler.resample(frame) if resampler else [frame]
                blocks = [_interleaved(part) for part in parts]
            for block in blocks:
                place += len(block)
                yield block

    def _converter(self, frame: AudioFrame) -> AudioResampler | None:
        """To floats at the track's rate; None for a frame that holds these."""
        import av

        lowest, highest = SAMPLE_RATES_HZ
        if not lowest <= frame.sample_rate <= highest:  # would fill the memory
            raise Damage(f"a sample rate of {frame.sample_rate} Hz")
        # PyAV reads past the end of the planes of eight channels or more.
        ready = frame.format.name == "fltp" and frame.layout.nb_channels < 8
        if ready and frame.sample_rate == self.rate_hz:
            return None
        return av.AudioResampler(format="flt", rate=self.rate_hz)

    def _frames(self) -> Iterator[AudioFrame]:
        import av

        idle = 0
        for packet in self._packets():
            frames: list[AudioFrame] = []
            # FFmpeg's own tools also skip a damaged packet.
            with decoder(self._source), contextlib.suppress(av.error.InvalidDataError):
                frames = packet.decode()
            idle = 0 if frames else idle + 1
            if idle > IDLE_PACKETS:
                raise Damage(f"no sample in {idle} packets")
            for frame in frames:
                if self._origin is None:
                    self._origin = self._start(frame)
                yield frame

    def _start(self, first: AudioFrame) -> int | None:
        """The time stamp at which the recording begins: with the film, if its sound comes later."""
        begin = self._container.start_time if self._stamped else None
        if first.pts is None or first.time_base is None or begin is None:
            return first.pts
        start = round(begin / 1e6 / first.time_base)
        late_s = float((first.pts - start) * first.time_base)
        if not GAP_S[0] < late_s <= GAP_S[1]:
            return first.pts
        self._late_s = late_s
        return start

    def _packets(self) -> Iterator:
        with decoder(self._source):
            packets = self._container.demux(self._stream)
        while True:
            with decoder(self._source):
                packet = next(packets, None)
                if packet is None:
                    return
                if packet.pts is not None and packet.time_base is not None:
                    end = packet.pts + (packet.duration or 0) - (self._stream.start_time or 0)
                    self._end_s = max(self._end_s, float(end * packet.time_base))
            yield packet

    def duration_s(self) -> float:
        with contextlib.suppress(Damage), decoder(self._source):
            if self._stream.duration is not None and self._stream.time_base is not None:
                return self._late_s + float(self._stream.duration * self._stream.time_base)
            if self._container.duration is not None:
                return self._container.duration / 1_000_000  # AV_TIME_BASE
            for _ in self._packets():  # streamed webm declares none: read on without decoding
                pass
        return self._late_s + self._end_s

    def declared_s(self) -> float:
        format, alone = self._container.format.name, len(self._container.streams) == 1
        return self.duration_s() if format in DECLARING or (format in SHARED and alone) else 0.0

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._container.close()


def _interleaved(frame: AudioFrame) -> np.ndarray:
    """The samples of a frame of floats: [n, channels]."""
    if frame.format.is_planar:
        return frame.to_ndarray().T
    return frame.to_ndarray().reshape(-1, frame.layout.nb_channels)


class ArrayReader:
    """An (array, sample_rate_hz) pair. Integer samples are scaled to [-1, 1]."""

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
