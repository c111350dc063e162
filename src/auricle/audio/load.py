"""Loading: any recording -> one mono waveform at the model's sample rate.

soundfile reads wav, flac, ogg, mp3 and similar formats; FFmpeg reads the others through PyAV, which
is optional because its wheel is large (readers.py); soxr resamples. Files are read block by block,
and only the section that is needed: ten seconds of a three-hour file cost the same at any place.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auricle.audio.damage import SAMPLE_RATES_HZ, Damage
from auricle.audio.kinds import AudioInput, Opener, recognise
from auricle.audio.level import within_full_scale
from auricle.audio.readers import ArrayReader, Reader, open_container
from auricle.audio.source import opened
from auricle.errors import AudioError, EndOfSoundError

if TYPE_CHECKING:
    import numpy as np

MIN_DURATION_S = 0.1  # too short for a sound event; also excludes empty headers
MAX_SAMPLES = 2**27  # of a waveform: 512 MiB, 2.3 h at 16 kHz
MAX_PEAK = 2.0**32  # beyond integers of 32 bits that were stored as floats
PIECE_FRAMES = 2**22  # of a section that are held at the recording's rate, 87 s at 48 kHz
DECODE_THROUGH_S = 1.0  # decoding so much further costs less than a seek
LATEST_S = 1e9  # a start that no recording reaches
CANCELLED = 0.01  # channels cancel if their mean is this far (-40 dB) under the first one


@dataclass(frozen=True, eq=False, slots=True)
class Recording:
    """A recording ready for an encoder.

    ``waveform``: float32 [L], mono, in [-1, 1], at ``sample_rate_hz``; ``duration_s``: seconds of
    the whole source, even if only a section was read; ``start_s``: start of that section;
    ``missing_s``: seconds that the header declares beyond what can be decoded, 0 if reading ended
    before that.
    """

    name: str
    waveform: np.ndarray
    duration_s: float
    sample_rate_hz: int
    start_s: float = 0.0
    missing_s: float = 0.0

    @property
    def end_s(self) -> float:
        """End of the section, in seconds of the source."""
        return self.start_s + len(self.waveform) / self.sample_rate_hz


def load_audio(
    source: AudioInput, sample_rate_hz: int, start_s: float = 0.0, end_s: float | None = None
) -> Recording:
    """The section of ``source`` from ``start_s`` to ``end_s`` (seconds), at ``sample_rate_hz``.

    ``end_s`` None means the end of the recording, and a later ``end_s`` means the same. Arrays are
    [samples] or [samples, channels] (or channels first: the shorter axis is the channels), float in
    [-1, 1] or int8, int16, int32 or uint8, which are scaled. Channels are averaged; if they cancel,
    as in phase-inverted stereo, the first one is used. A section with a peak above 1 is scaled down
    to 1. A truncated file gives the part that can be decoded. At most `MAX_SAMPLES` are loaded.

    Raises AudioError, one line with the input, the rule that it breaks and the fix: whatever the
    file, the disk or the decoders do.
    """
    return next(load_sections(source, sample_rate_hz, [(start_s, end_s)]))


def load_sections(
    source: AudioInput,
    sample_rate_hz: int,
    sections: Iterable[tuple[float, float | None]],
) -> Generator[Recording]:
    """`load_audio` of each of ``sections``, (start_s, end_s) ordered by start.

    The recording is opened once, and no second of it is decoded twice, even if sections overlap, if
    they have at most `PIECE_FRAMES`.

    Raises AudioError: as `load_audio`, when a section cannot be read.
    """
    import numpy as np

    with open_window(source) as window:
        for start_s, end_s in sections:
            samples = bytearray()  # grows without a second copy
            try:
                for piece in window.pieces(start_s, end_s, sample_rate_hz):
                    samples += piece.data
                    if len(samples) > 4 * MAX_SAMPLES:
                        raise AudioError(
                            f"{window.name}: more than {MAX_SAMPLES / sample_rate_hz / 3600:.1f} h"
                            " to load at once; give start_s and end_s, or read it in sections"
                        )
                waveform = within_full_scale(np.frombuffer(samples, np.float32))
            except MemoryError as error:
                raise AudioError(
                    f"{window.name}: too long for the memory; give a shorter section"
                ) from error
            yield Recording(
                window.name,
                waveform,
                window.duration_s(),
                sample_rate_hz,
                start_s,
                window.missing_s(),
            )


@contextlib.contextmanager
def open_window(source: AudioInput) -> Iterator[SlidingWindow]:
    """An open recording. Raises AudioError: it cannot be read."""
    name, content = recognise(source)
    if isinstance(content, tuple):
        yield SlidingWindow(ArrayReader(content, name), name)
        return
    if isinstance(content, Opener):
        with contextlib.closing(content.open_reader()) as reader:
            yield SlidingWindow(reader, name)
        return
    with opened(content, name) as stream, contextlib.closing(open_container(stream)) as reader:
        yield SlidingWindow(reader, name)


class SlidingWindow:
    """Sections of an open recording. Decoded blocks are kept from the start of the last piece on,
    so the next section, if it starts no earlier, decodes only new blocks."""

    def __init__(self, reader: Reader, name: str) -> None:
        self.name, self.rate_hz = name, checked_rate(reader.rate_hz, name)
        self._reader = reader
        self._first = self._next = 0  # numbers of the first kept frame, and of the next to decode
        self._kept: deque[np.ndarray] = deque()  # blocks of `_tracks`
        self._ended = False
        self._blocks = self._reader.blocks(0)

    def pieces(
        self,
        start_s: float,
        end_s: float | None,
        sample_rate_hz: int,
        piece_s: float | None = None,
    ) -> Iterator[np.ndarray]:
        """Pieces of the section from ``start_s`` to ``end_s`` (seconds): float32 [n], mono, finite,
        resampled as one. A section of at most ``piece_s`` or by default `PIECE_FRAMES` is one
        piece.

        Raises AudioError: there are no samples to decode, or too few, or they are not finite, or
        the section starts after them.
        """
        _check_section(start_s, end_s, self.name)
        left = math.inf if end_s is None else round((end_s - start_s) * sample_rate_hz)
        heard = 0
        frames = round(piece_s * self.rate_hz) if piece_s else PIECE_FRAMES
        mono = self._mono(start_s, end_s, frames)
        for piece in resampled(mono, self.rate_hz, sample_rate_hz):
            heard += len(piece)
            yield piece[: min(left, len(piece))]
            left -= min(left, len(piece))
        if start_s + heard / sample_rate_hz < MIN_DURATION_S:
            raise AudioError(
                f"{self.name}: {heard / sample_rate_hz:.2g} s long, but a recording needs at least"
                f" {MIN_DURATION_S} s; give a longer one"
            )

    def duration_s(self) -> float:
        """Seconds of the whole recording: as far as it was decoded, or by its header."""
        decoded_s = self._next / self.rate_hz
        if self._ended:  # a truncated file holds less than its header declares
            return decoded_s
        return max(decoded_s, self._reader.duration_s())

    def missing_s(self) -> float:
        """Seconds that the header declares after the last frame that can be decoded."""
        if not self._ended:
            return 0.0
        return max(0.0, self._reader.declared_s() - self._next / self.rate_hz)

    def _mono(self, start_s: float, end_s: float | None, frames: int) -> Iterator[np.ndarray]:
        """Pieces of the section at the reader's rate: float32 [n], n <= ``frames``, finite."""
        start = round(start_s * self.rate_hz)
        end = math.inf if end_s is None else math.ceil(round(end_s * self.rate_hz, 6))
        self._go_to(start)
        place = start
        while place < end:
            stop = min(end, place + frames)
            while self._next < stop and not self._ended:
                self._decode()
                self._drop(place)
            if not self._next:
                raise AudioError(
                    f"{self.name}: holds no samples that can be decoded; give a whole recording"
                )
            if place >= self._next:
                break
            tracks = _joined(self._kept)[place - self._first :][: int(stop) - place]
            mono = _mono(tracks)
            check_samples(mono, self.name, place / self.rate_hz)
            yield mono
            place += len(mono)
        if place == start:
            raise EndOfSoundError(
                f"{self.name}: {self._end(start_s)}, but the section starts at {start_s:g} s;"
                " correct start_s"
            )

    def _go_to(self, start: int) -> None:
        """Seek to frame ``start``, unless it is kept or near."""
        self._drop(start)
        if self._first <= start <= self._next + DECODE_THROUGH_S * self.rate_hz:
            return
        self._kept.clear()
        self._ended = False
        try:
            self._blocks = self._reader.blocks(start)
            self._first = self._next = start
        except Damage:  # e.g. a truncated file: decode up to there
            self._first = self._next = 0
            try:
                self._blocks = self._reader.blocks(0)
            except Damage as error:
                raise self._damaged() from error

    def _drop(self, start: int) -> None:
        """Drop blocks that end before frame ``start``."""
        while self._kept and self._first + len(self._kept[0]) <= start:
            self._first += len(self._kept.popleft())

    def _decode(self) -> None:
        """Decode the next block; the recording ends without one, or if it cannot be decoded."""
        try:
            block = next(self._blocks, None)
        except Damage as error:
            if not self._next:
                raise self._damaged() from error
            block = None
        if block is None:
            self._ended = True
            return
        self._kept.append(_tracks(block))
        self._next += len(block)

    def _damaged(self) -> AudioError:
        return AudioError(
            f"{self.name}: damaged, nothing in it can be decoded; get a whole copy of the file"
        )

    def _end(self, start_s: float) -> str:
        """A phrase for the message: where the recording ends, which is before ``start_s``."""
        if self._first < self._next:
            return f"lasts {self._next / self.rate_hz:.4g} s"
        if (declared_s := self._reader.duration_s()) <= start_s:
            return f"lasts {declared_s:.4g} s"
        return f"is damaged there or cut short ({declared_s:.4g} s by its header)"


def _check_section(start_s: float, end_s: float | None, name: str) -> None:
    if not 0 <= start_s < LATEST_S or (end_s is not None and not end_s > start_s):
        raise AudioError(
            f"{name}: a section from {start_s:g} to {end_s} s; it must start at 0 s or later, and"
            " end after its start"
        )


def check_samples(mono: np.ndarray, name: str, start_s: float = 0.0) -> None:
    """Refuse samples that are not finite, or so large that resampling makes them so."""
    import numpy as np

    after = f" from {start_s:.4g} s on" if start_s else ""
    if broken := int(len(mono) - np.isfinite(mono).sum()):
        raise EndOfSoundError(
            f"{name}: {broken} of {len(mono)} samples{after} are NaN or infinite, but all must be"
            " finite; repair them, for example with numpy.nan_to_num"
        )
    if (peak := float(max(mono.max(), -mono.min()))) > MAX_PEAK:
        raise EndOfSoundError(
            f"{name}: a sample of {peak:.1e}{after}, but full scale is 1; repair it, or scale the"
            " samples"
        )


def resampled(
    pieces: Iterable[np.ndarray], rate_hz: int, sample_rate_hz: int
) -> Iterator[np.ndarray]:
    """Consecutive pieces at another rate, float32 [n], equal to `at_rate` of all in one."""
    if rate_hz == sample_rate_hz:
        yield from pieces
        return
    import numpy as np
    import soxr

    stream = soxr.ResampleStream(rate_hz, sample_rate_hz, 1, dtype="float32")
    for piece in pieces:
        yield stream.resample_chunk(piece)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def at_rate(mono: np.ndarray, rate_hz: int, sample_rate_hz: int) -> np.ndarray:
    """float32 [L] at ``rate_hz``, resampled to ``sample_rate_hz``."""
    if rate_hz == sample_rate_hz:
        return mono
    import soxr

    return soxr.resample(mono, rate_hz, sample_rate_hz)


def checked_rate(rate_hz: int, name: str) -> int:
    lowest, highest = SAMPLE_RATES_HZ
    if not lowest <= rate_hz <= highest:
        raise AudioError(
            f"{name}: a sample rate of {rate_hz} Hz; it must lie between {lowest} and {highest}"
        )
    return rate_hz


def _joined(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Blocks of `_tracks`, [n, 1 or 2], in one; channels may come and go in a broadcast."""
    import numpy as np

    blocks = list(blocks)
    most = max(block.shape[1] for block in blocks)
    return np.concatenate([b if b.shape[1] == most else np.repeat(b, most, axis=1) for b in blocks])


def _tracks(block: np.ndarray) -> np.ndarray:
    """[n, C] -> float32 [n, 1], or [n, 2]: the mean of the channels and the first of them."""
    import numpy as np

    with np.errstate(all="ignore"):  # overflow becomes infinite, which `_check` refuses
        block = block.astype(np.float32)
        channels = block.shape[1]
        mean = block @ np.full(channels, 1 / channels, np.float32)  # 20 times as fast as .mean(1)
        return block if channels == 1 else np.stack([mean, block[:, 0]], axis=1)


def downmix(block: np.ndarray) -> np.ndarray:
    """[n, channels] -> float32 [n], as in `load_audio`."""
    return _mono(_tracks(block))


def _mono(tracks: np.ndarray) -> np.ndarray:
    """[L, 1 or 2] of ``_tracks`` -> [L]."""
    import numpy as np

    if tracks.shape[1] == 1:
        return tracks[:, 0]
    with np.errstate(all="ignore"):
        mean, first = np.square(tracks, dtype=np.float64).mean(axis=0)
    return np.ascontiguousarray(tracks[:, 1 if mean < CANCELLED**2 * first else 0])
