"""The formats of FFmpeg, through PyAV: the sound of m4a, mp4, mkv, webm and others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

from auricle.audio.damage import BLOCK_FRAMES, SAMPLE_RATES_HZ, Damage, decoder
from auricle.audio.source import Stream

if TYPE_CHECKING:
    import numpy as np
    from av import AudioFrame, AudioResampler
    from av.audio.stream import AudioStream

PREROLL_S = 0.2  # decoded before a section: packets of some codecs depend on earlier ones
IDLE_PACKETS = 100_000  # without a sample between them, where broken files may go on for ever
# Formats of FFmpeg whose headers declare the duration of a track. In others it is an estimate; in
# those with `SHARED` headers it is that of the longest track.
DECLARING = {"mov,mp4,m4a,3gp,3g2,mj2", "avi", "wv", "tta", "caf"}
SHARED = {"matroska,webm", "flv"}
# Formats whose packets hold time stamps; of others, FFmpeg counts the samples.
STAMPED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flv", "asf", "mpegts", "mpeg"}
# Seconds without packets that are silence in the recording: less is imprecision of the time stamps,
# more is taken for broken ones.
GAP_S = (0.1, 600.0)


class FFmpegReader:
    """The formats of FFmpeg, through PyAV: m4a, mp4, mkv, webm ... Reads the best sound track.

    Raises Damage: the stream is of an unknown format, or broken. LookupError: it has no sound.
    """

    def __init__(self, source: Stream) -> None:
        self._source = source
        self._end_s = 0.0  # of the last packet seen
        self._open()
        if self._stream.duration is None and self._container.duration is None:
            with contextlib.suppress(Damage):  # streamed webm: read it to its end without decoding
                for _ in self._packets():
                    pass
            self.close()
            self._open()
        names = self._container.format.name.split(",")
        suffix = PurePath(source.name).suffix.lower().removeprefix(".")
        codec = self._stream.codec_context.name
        self.format = f"{suffix if suffix in names else names[0]} {codec}"
        self._stamped = self._container.format.name in STAMPED
        self._origin: int | None = None  # time stamp of the recording's first sample
        self._late_s = 0.0  # of its silence before the first frame

    def _open(self) -> None:
        import av

        source = self._source
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

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        if not start and self._origin is None:
            return self._decoded(self._frames(), 0)
        if self._origin is None:
            next(self._frames(), None)
        self.close()
        self._open()  # some codecs fill in noise that depends on all they have decoded
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
