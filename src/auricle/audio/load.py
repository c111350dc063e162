"""Loading: any recording -> one mono waveform at the model's sample rate.

soundfile reads wav, flac, ogg, mp3 and similar formats; FFmpeg reads the others through PyAV, which
is optional because its wheel is large (readers.py); soxr resamples. Files are read block by block,
and only the section that is needed: ten seconds of a three-hour file cost the same at any place.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from auricle.audio.level import within_full_scale
from auricle.errors import AudioError

if TYPE_CHECKING:
    import numpy as np

    from auricle.audio.readers import Reader

AudioInput: TypeAlias = "str | os.PathLike[str] | BinaryIO | bytes | tuple[np.ndarray, int]"

MIN_DURATION_S = 0.1  # too short for a sound event; also excludes empty headers
SAMPLE_RATES_HZ = (1_000, 1_000_000)  # telephone to ultrasound, with a margin on both sides
DECODE_THROUGH_S = 1.0  # decoding so much further costs less than a seek
CANCELLED = 0.01  # channels cancel if their mean is this far (-40 dB) under the first one
ACCEPTED = "a path, an open binary file, bytes, or (array, sample_rate_hz)"


@dataclass(frozen=True, eq=False, slots=True)
class Recording:
    """A recording ready for an encoder.

    ``waveform``: float32 [L], mono, in [-1, 1], at ``sample_rate_hz``; ``duration_s``: seconds of
    the whole source, even if only a section was read; ``start_s``: start of that section.
    """

    name: str
    waveform: np.ndarray
    duration_s: float
    sample_rate_hz: int
    start_s: float = 0.0

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
    to 1. A truncated file gives the part that can be decoded.

    Raises AudioError, one line with the input, the rule that it breaks and the fix.
    """
    return next(load_sections(source, sample_rate_hz, [(start_s, end_s)]))


def load_sections(
    source: AudioInput,
    sample_rate_hz: int,
    sections: Iterable[tuple[float, float | None]],
) -> Iterator[Recording]:
    """`load_audio` of each of ``sections``, (start_s, end_s) ordered by start.

    The recording is opened once, and no second of it is decoded twice, even if sections overlap.

    Raises AudioError: as `load_audio`, when a section cannot be read.
    """
    name = source_name(source)
    with _reader(source, name) as reader:
        rate_hz = _checked_rate(reader.rate_hz, name)
        window = SlidingWindow(reader, name)
        for start_s, end_s in sections:
            _check_section(start_s, end_s, name)
            mono, duration_s = window.section(start_s, end_s)
            _check(mono, rate_hz, name, start_s)
            waveform = at_rate(mono, rate_hz, sample_rate_hz)
            if end_s is not None:
                waveform = waveform[: round((end_s - start_s) * sample_rate_hz)]
            yield Recording(name, within_full_scale(waveform), duration_s, sample_rate_hz, start_s)


def source_name(source: AudioInput) -> str:
    """The name of ``source`` in messages and records: its path, or its kind if it has none."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    if isinstance(source, tuple):
        return "<array>"
    if isinstance(source, bytes):
        return "<bytes>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else f"<{type(source).__name__}>"


@contextlib.contextmanager
def _opened(source: Any, name: str) -> Iterator[BinaryIO]:
    """``source`` as a seekable binary stream at its start; closed at the end if opened here."""
    with contextlib.ExitStack() as stack:
        if isinstance(source, bytes):
            source = io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            try:
                source = stack.enter_context(Path(source).open("rb"))
            except (OSError, ValueError) as error:
                raise AudioError(f"{name}: {_refusal(error)}") from error
        if not hasattr(source, "read"):
            hint = " (an array needs its sample rate beside it)" if hasattr(source, "shape") else ""
            raise AudioError(f"{name}: not an audio input{hint}; give {ACCEPTED}")
        if isinstance(source, io.TextIOBase):
            raise AudioError(f"{name}: opened as text; open it with mode 'rb'")
        if not (hasattr(source, "seekable") and source.seekable()):
            source = io.BytesIO(source.read())  # a pipe: the decoders need to seek
        source.seek(0)
        if not source.read(1):
            raise AudioError(f"{name}: the file is empty (0 bytes); give one with sound in it")
        yield source


def _refusal(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "no such file; check the path"
        case IsADirectoryError():
            return "a folder, but one recording is needed; name the files in it"
        case PermissionError():
            return "not readable (permission denied); allow it, for example with chmod +r"
        case OSError():
            return f"cannot be opened ({error.strerror}); check the path"
    return f"not a valid path ({error}); check it"


@contextlib.contextmanager
def _reader(source: AudioInput, name: str) -> Iterator[Reader]:
    from auricle.audio.readers import ArrayReader, open_container

    if isinstance(source, tuple):
        yield ArrayReader(source, name)
        return
    with _opened(source, name) as stream, contextlib.closing(open_container(stream, name)) as file:
        yield file


class SlidingWindow:
    """Sections of an open recording. Decoded blocks are kept from the start of the last section on,
    so the next section, if it starts no earlier, decodes only new blocks."""

    def __init__(self, reader: Reader, name: str) -> None:
        self._reader, self._name, self._rate_hz = reader, name, reader.rate_hz
        self._first = self._next = 0  # numbers of the first kept frame, and of the next to decode
        self._kept: deque[np.ndarray] = deque()  # blocks of `_tracks`
        self._ended = False
        self._blocks = self._reader.blocks(0)

    def section(self, start_s: float, end_s: float | None) -> tuple[np.ndarray, float]:
        """(mono float32 [L] at the reader's rate, seconds of the whole recording).

        Raises AudioError: there are no samples to decode, or the section starts after them.
        """
        import numpy as np

        start = round(start_s * self._rate_hz)
        end = math.inf if end_s is None else math.ceil(round(end_s * self._rate_hz, 6))
        self._go_to(start)
        while self._next < end and not self._ended:
            self._decode()
            self._drop(start)
        duration_s = self._next / self._rate_hz
        if not self._ended:  # a truncated file holds less than its header declares
            duration_s = max(duration_s, self._reader.duration_s())
        if not self._next:
            raise AudioError(
                f"{self._name}: holds no samples that can be decoded; give a whole recording"
            )
        if start >= self._next:
            raise AudioError(
                f"{self._name}: {self._end(start_s)}, but the section starts at {start_s:g} s;"
                " correct start_s"
            )
        tracks = np.concatenate(self._kept)[start - self._first :][: int(min(end, 2**62)) - start]
        return _mono(tracks), duration_s

    def _go_to(self, start: int) -> None:
        """Seek to frame ``start``, unless it is kept or near."""
        self._drop(start)
        if self._first <= start <= self._next + DECODE_THROUGH_S * self._rate_hz:
            return
        try:
            self._blocks = self._reader.blocks(start)
            self._first = self._next = start
        except self._reader.damage:  # e.g. a truncated file: decode up to there
            self._blocks = self._reader.blocks(0)
            self._first = self._next = 0
        self._kept.clear()
        self._ended = False

    def _drop(self, start: int) -> None:
        """Drop blocks that end before frame ``start``."""
        while self._kept and self._first + len(self._kept[0]) <= start:
            self._first += len(self._kept.popleft())

    def _decode(self) -> None:
        """Decode the next block; the recording ends without one, or if it cannot be decoded."""
        try:
            block = next(self._blocks, None)
        except self._reader.damage as error:
            if not self._next:
                raise AudioError(
                    f"{self._name}: damaged, nothing in it can be decoded; get a whole copy of the"
                    " file"
                ) from error
            block = None
        if block is None:
            self._ended = True
            return
        self._kept.append(_tracks(block))
        self._next += len(block)

    def _end(self, start_s: float) -> str:
        """A phrase for the message: where the recording ends, which is before ``start_s``."""
        if self._first < self._next:
            return f"lasts {self._next / self._rate_hz:.4g} s"
        if (declared_s := self._reader.duration_s()) <= start_s:
            return f"lasts {declared_s:.4g} s"
        return f"is damaged there or cut short ({declared_s:.4g} s by its header)"


def _check_section(start_s: float, end_s: float | None, name: str) -> None:
    if start_s < 0 or (end_s is not None and end_s <= start_s):
        raise AudioError(
            f"{name}: a section from {start_s:g} to {end_s} s; it must start at 0 s or later, and"
            " end after its start"
        )


def _check(mono: np.ndarray, rate_hz: int, name: str, start_s: float) -> None:
    """Refuse a recording that is too short, and samples that are not finite."""
    import numpy as np

    if start_s * rate_hz + len(mono) < MIN_DURATION_S * rate_hz:
        raise AudioError(
            f"{name}: {len(mono) / rate_hz:.2g} s long, but a recording needs at least"
            f" {MIN_DURATION_S} s; give a longer one"
        )
    if broken := int(len(mono) - np.isfinite(mono).sum()):
        raise AudioError(
            f"{name}: {broken} of {len(mono)} samples are NaN or infinite, but all must be finite;"
            " repair them, for example with numpy.nan_to_num"
        )


def at_rate(mono: np.ndarray, rate_hz: int, sample_rate_hz: int) -> np.ndarray:
    """float32 [L] at ``rate_hz``, resampled to ``sample_rate_hz``."""
    if rate_hz == sample_rate_hz:
        return mono
    import soxr

    return soxr.resample(mono, rate_hz, sample_rate_hz)


def _checked_rate(rate_hz: int, name: str) -> int:
    lowest, highest = SAMPLE_RATES_HZ
    if not lowest <= rate_hz <= highest:
        raise AudioError(
            f"{name}: a sample rate of {rate_hz} Hz; it must lie between {lowest} and {highest}"
        )
    return rate_hz


def _tracks(block: np.ndarray) -> np.ndarray:
    """[n, C] -> float32 [n, 1], or [n, 2]: the mean of the channels and the first of them."""
    import numpy as np

    with np.errstate(all="ignore"):  # overflow becomes infinite, which `_check` refuses
        block = block.astype(np.float32)
        channels = block.shape[1]
        mean = block @ np.full(channels, 1 / channels, np.float32)  # 20 times as fast as .mean(1)
        return block if channels == 1 else np.stack([mean, block[:, 0]], axis=1)


def _mono(tracks: np.ndarray) -> np.ndarray:
    """[L, 1 or 2] of ``_tracks`` -> [L]."""
    import numpy as np

    if tracks.shape[1] == 1:
        return tracks[:, 0]
    with np.errstate(all="ignore"):
        mean, first = np.square(tracks, dtype=np.float64).mean(axis=0)
    return tracks[:, 1 if mean < CANCELLED**2 * first else 0]
