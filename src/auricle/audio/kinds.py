"""Kinds of source: what a caller may give as a recording, each with its name."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Mapping
from numbers import Number
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias, runtime_checkable

from auricle.errors import AudioError, reason

if TYPE_CHECKING:
    import numpy as np

    from auricle.audio.readers import Reader

Content: TypeAlias = "str | os.PathLike[str] | BinaryIO | bytes | tuple[np.ndarray, int] | Opener"
AudioInput: TypeAlias = "Content | Mapping[str, Any] | Decoder"  # as in Hugging Face datasets

ACCEPTED = (
    "a path, an open binary file, bytes, (array, sample_rate_hz),"
    ' {"array": …, "sampling_rate": …} or {"bytes": …, "path": …}'
)
_ADDRESS = re.compile(r"^(https?):/+", re.IGNORECASE)  # a Path merges slashes
_KEYS = {"array", "raw", "sampling_rate", "bytes", "path"}  # "raw": the name of transformers


class Decoder(Protocol):
    """An AudioDecoder of torchcodec, as new versions of datasets give for a recording."""

    def get_all_samples(self) -> Any:
        """``data`` [channels, samples], float in [-1, 1], and ``sample_rate`` in Hz."""
        ...


@runtime_checkable
class Opener(Protocol):
    """A recording that has a reader of its own."""

    @property
    def name(self) -> str: ...

    def open_reader(self) -> Reader:
        """Raises AudioError: it cannot be read."""
        ...


def recognise(source: AudioInput) -> tuple[str, Content]:
    """(name in messages and records, content that a reader opens) of a source.

    The name is the path, or the kind of source if it has none. Tensors lose their gradient and come
    to the CPU.

    Raises AudioError: no kind of recording, or a web address.
    """
    if isinstance(source, Mapping):
        return _of_row(source)
    name = source_name(source)
    if is_address(source):
        raise AudioError(
            f"{name}: a web address, which is opened only on request: give allow_urls=True"
            " (--allow-urls), or download the recording and give its file"
        )
    if isinstance(source, tuple):
        return name, tuple(map(_plain, source))
    if isinstance(source, bytearray | memoryview):
        return name, bytes(source)
    if _is_decoder(source):
        return name, _decoded(source, name)
    known = isinstance(source, str | os.PathLike | bytes | Opener)
    if not (known or hasattr(source, "read")):
        raise AudioError(f"{name}: {_reason(source)}; give {ACCEPTED}")
    if isinstance(source, io.TextIOBase):
        raise AudioError(f"{name}: opened as text; open it with mode 'rb'")
    return name, source  # type: ignore[return-value]


def source_name(source: AudioInput) -> str:
    """The name of ``source`` in messages and records: its path, or its kind if it has none."""
    if isinstance(source, str | os.PathLike):
        return _ADDRESS.sub(r"\1://", os.fsdecode(source), count=1)
    if isinstance(source, tuple):
        return "<array>"
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if _is_decoder(source):
        return getattr(getattr(source, "metadata", None), "path", None) or "<audio>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else f"<{type(source).__name__}>"


def is_one(source: Any) -> bool:
    """Whether ``source`` is one recording, good or bad, rather than several."""
    if isinstance(source, tuple):  # (array, rate), or several sources
        return not source or is_array(source[0]) or _is_numbers(source[0])
    one = isinstance(source, str | os.PathLike | bytes | bytearray | memoryview | Mapping)
    if one or is_array(source) or _is_decoder(source) or hasattr(source, "read"):
        return True
    return _is_numbers(source) or not _is_iterable(source)


def is_array(source: Any) -> bool:
    """Whether ``source`` is an array or tensor of samples; one of paths is not."""
    if not (hasattr(source, "shape") and hasattr(source, "dtype")):
        return False
    return getattr(source.dtype, "kind", "f") not in "OUST"


def is_address(source: Any) -> bool:
    """Whether ``source`` is a web address instead of a path."""
    return isinstance(source, str | os.PathLike) and bool(_ADDRESS.match(os.fsdecode(source)))


def fetched(source: Any) -> Any:
    """``source``, downloaded if it is a web address; its name stays.

    Raises AudioError: the address does not give a recording.
    """
    if isinstance(source, Mapping) and source.get("bytes") is None:
        source = source["path"] if is_address(source.get("path")) else source
    if not is_address(source):
        return source
    from auricle.fetch.recording import fetch_recording

    address = source_name(source)
    return {"bytes": fetch_recording(address), "path": address}


def _of_row(row: Mapping[str, Any]) -> tuple[str, Content]:
    """`recognise` of a dict as Hugging Face datasets and transformers have them."""
    path = row.get("path")
    array = next((row[key] for key in ("array", "raw") if row.get(key) is not None), None)
    if not row.keys() - _KEYS:
        if array is not None and row.get("sampling_rate") is not None:
            return path or "<array>", (_plain(array), row["sampling_rate"])
        if array is None and row.get("bytes") is not None:
            return path or "<bytes>", recognise(row["bytes"])[1]
        if array is None and path is not None:
            return recognise(path)
    hint = ' (of a row of a data set, give row["audio"])' if "audio" in row else ""
    keys = ", ".join(repr(key) for key in row) or "none"
    raise AudioError(f"<dict>: a dict with the keys {keys}{hint}; give {ACCEPTED}")


def _plain(array: Any) -> Any:
    """A tensor without gradient on the CPU, as float32 if it holds floats; anything else as is."""
    if hasattr(array, "detach"):
        with contextlib.suppress(RuntimeError):  # no values, as on "meta": the reader refuses it
            array = array.detach().cpu()
            return array.float() if array.is_floating_point() else array
    return array


def _is_decoder(source: Any) -> bool:
    return callable(getattr(source, "get_all_samples", None))


def _decoded(decoder: Any, name: str) -> tuple[np.ndarray, int]:
    try:
        samples = decoder.get_all_samples()
    except (RuntimeError, ValueError, OSError) as error:
        raise AudioError(f"{name}: its decoder fails ({reason(error)}); give the file") from error
    return _plain(samples.data), samples.sample_rate


def _is_numbers(source: Any) -> bool:
    return isinstance(source, list) and bool(source) and isinstance(source[0], Number)


def _is_iterable(source: Any) -> bool:
    try:
        iter(source)
    except TypeError:
        return False
    return True


def _reason(source: Any) -> str:
    """A phrase for the message: why ``source`` is no recording."""
    if _is_numbers(source):
        return "a list of numbers; make it an array, numpy.asarray(numbers), with its sample rate"
    hint = " (an array needs its sample rate beside it)" if is_array(source) else ""
    return f"not an audio input{hint}"
