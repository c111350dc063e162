"""Any recording to one mono waveform at the model's rate.

soundfile reads wav, flac, ogg, mp3 and their kin without FFmpeg; what it does not know goes to
FFmpeg by way of PyAV, which is optional because its wheel is large (readers.py); soxr resamples.
Files are read block by block and only as far as asked, so a three-hour file costs no more than its
first seconds.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from auricle.errors import AudioError

if TYPE_CHECKING:
    import numpy as np

    from auricle.readers import Reader

AudioInput: TypeAlias = "str | os.PathLike[str] | BinaryIO | bytes | tuple[np.ndarray, int]"

MIN_DURATION_S = 0.1  # below it there is no sound event to name; also excludes empty headers
SAMPLE_RATES_HZ = (1_000, 1_000_000)  # telephone to ultrasound, with a margin on either side
CANCELLED = 0.01  # mean of channels this far (-40 dB) under the first one: they cancel each other
ACCEPTED = "a path, an open binary file, bytes, or (array, sample_rate_hz)"
SOUNDFILE_SUFFIXES = ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .caf .w64"
FFMPEG_SUFFIXES = ".m4a .aac .mp4 .m4v .mov .mkv .mka .webm .wma .wmv .avi .ac3 .amr .3gp .mpg"
SUFFIXES = frozenset(f"{SOUNDFILE_SUFFIXES} {FFMPEG_SUFFIXES}".split())


@dataclass(frozen=True, eq=False, slots=True)
class Recording:
    """A recording ready for an encoder.

    ``waveform``: float32 [L], mono, in [-1, 1], at ``sample_rate_hz``; ``duration_s``: seconds of
    the whole source, also where only its start was read.
    """

    name: str
    waveform: np.ndarray
    duration_s: float
    sample_rate_hz: int


def load_audio(
    source: AudioInput, sample_rate_hz: int, max_duration_s: float | None = None
) -> Recording:
    """Read ``source`` from its start, at most ``max_duration_s`` of it, at ``sample_rate_hz``.

    Arrays are [samples] or [samples, channels] (or channels first: the shorter axis is the
    channels), float in [-1, 1] or int8, int16, int32 or uint8, which are scaled. Channels are
    averaged; where they cancel each other, as in phase-inverted stereo, the first one is heard.
    A peak beyond 1 scales the waveform down to it. Truncated files give what can be decoded.

    Raises AudioError, one line naming the input, the rule it broke and the fix.
    """
    import numpy as np
    import soxr

    name = source_name(source)
    with _reader(source, name) as reader:
        rate_hz = _checked_rate(reader.rate_hz, name)
        mono, duration_s = _read(reader, name, max_duration_s)
    if len(mono) < MIN_DURATION_S * rate_hz:
        raise AudioError(
            f"{name}: {len(mono) / rate_hz:.2g} s long, but a recording needs at least"
            f" {MIN_DURATION_S} s; give a longer one"
        )
    if broken := int(len(mono) - np.isfinite(mono).sum()):
        raise AudioError(
            f"{name}: {broken} of {len(mono)} samples are NaN or infinite, but all must be finite;"
            " repair them, for example with numpy.nan_to_num"
        )
    waveform = soxr.resample(mono, rate_hz, sample_rate_hz) if rate_hz != sample_rate_hz else mono
    if max_duration_s is not None:
        waveform = waveform[: round(max_duration_s * sample_rate_hz)]
    waveform = np.ascontiguousarray(waveform / max(1.0, float(np.abs(waveform).max())), np.float32)
    return Recording(name, waveform, duration_s, sample_rate_hz)


def source_name(source: AudioInput) -> str:
    """What messages and records call ``source``: its path, or its kind where it has none."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    if isinstance(source, tuple):
        return "<array>"
    if isinstance(source, bytes):
        return "<bytes>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else f"<{type(source).__name__}>"


def find_audio_files(
    paths: Iterable[str | os.PathLike[str]],
) -> tuple[list[Path], list[AudioError]]:
    """Files as given and, sorted, the audio files under folders; and what is wrong with the rest.

    A file that is named is taken whatever its suffix. Folders are searched for ``SUFFIXES``;
    hidden files and folders in them and links to other folders are skipped. The order of
    ``paths`` is kept, and a file named twice is taken once. The errors name missing paths,
    unreadable folders and folders without audio.
    """
    found: dict[str, Path] = {}  # keyed by absolute path
    problems: list[AudioError] = []
    for path in map(Path, paths):
        files = [path]
        if path.is_dir():
            files = list(_files_below(path, problems))
            if not files:
                kinds = "wav, flac, ogg, mp3, m4a, mp4 …"
                problems.append(AudioError(f"{path}: no audio file in this folder ({kinds})"))
        elif not os.path.lexists(path):
            problems.append(AudioError(f"{path}: no such file or folder; check the path"))
            continue
        for file in files:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100  (keeps links apart)
    return list(found.values()), problems


def _files_below(folder: Path, problems: list[AudioError]) -> Iterator[Path]:
    def report(error: OSError) -> None:
        problems.append(AudioError(f"{error.filename}: folder cannot be read ({error.strerror})"))

    for root, folders, files in os.walk(folder, onerror=report):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(root, name)


@contextlib.contextmanager
def _opened(source: Any, name: str) -> Iterator[BinaryIO]:
    """``source`` as a seekable binary stream at its start; closed afterwards if opened here."""
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
            return "a folder where one recording is meant; name the files in it"
        case PermissionError():
            return "not readable (permission denied); allow it, for example with chmod +r"
        case OSError():
            return f"cannot be opened ({error.strerror}); check the path"
    return f"not a valid path ({error}); check it"


@contextlib.contextmanager
def _reader(source: AudioInput, name: str) -> Iterator[Reader]:
    from auricle.readers import ArrayReader, open_container

    if isinstance(source, tuple):
        yield ArrayReader(source, name)
        return
    with _opened(source, name) as stream, contextlib.closing(open_container(stream, name)) as file:
        yield file


def _read(reader: Reader, name: str, max_duration_s: float | None) -> tuple[np.ndarray, float]:
    """(mono float32 [L] at the reader's rate, seconds of the whole recording)."""
    import numpy as np

    rate_hz = reader.rate_hz
    limit = math.inf if max_duration_s is None else math.ceil(max_duration_s * rate_hz)
    tracks, length = [], 0
    for block in _until_damaged(reader, name):
        tracks.append(_tracks(block))
        length += len(block)
        if length >= limit:
            break
    if not length:
        raise AudioError(f"{name}: holds no samples that can be decoded; give a whole recording")
    duration_s = length / rate_hz
    if length >= limit:  # a truncated file holds less than its header says: believe it only here
        duration_s = max(duration_s, reader.duration_s())
    return _mono(np.concatenate(tracks))[: int(min(limit, length))], duration_s


def _until_damaged(reader: Reader, name: str) -> Iterator[np.ndarray]:
    """The blocks before the first that cannot be decoded; an error if that is none."""
    started = False
    try:
        for block in reader.blocks():
            started = True
            yield block
    except reader.damage as error:
        if not started:
            raise AudioError(
                f"{name}: damaged, nothing in it can be decoded; get a whole copy of the file"
            ) from error


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

    with np.errstate(all="ignore"):  # what overflows becomes infinite and is refused by name later
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
