"""Sounds inside a page: HTML that holds the sound itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Codec = Literal["mp3", "flac"]  # a fifth of the size; lossless. Every browser plays both
_CODECS: dict[Codec, tuple[str, str]] = {
    "mp3": ("audio/mpeg", "MPEG_LAYER_III"),
    "flac": ("audio/flac", "PCM_16"),
}


def sound_element(waveform: np.ndarray, rate_hz: int, codec: Codec = "mp3") -> str:
    """An <audio> element that holds float32 [L]."""
    return audio_element(data_uri(_CODECS[codec][0], encoded([waveform], rate_hz, codec)))


def audio_element(address: str) -> str:
    """An <audio> element that plays ``address``, which is escaped already."""
    return f'<audio controls preload=metadata src="{address}"></audio>'


def encoded(
    pieces: Iterable[np.ndarray], rate_hz: int, codec: Codec, squeezed: float | None = None
) -> bytes:
    """The pieces of a waveform, float32 [n], as the bytes of a sound file.

    ``squeezed``: of an mp3 with a constant bit rate, in which browsers find every place exactly:
    how small it is, from 0 to 1.
    """
    import soundfile

    file, kept = io.BytesIO(), {}
    if squeezed is not None:
        kept = {"bitrate_mode": "CONSTANT", "compression_level": squeezed}
    with soundfile.SoundFile(
        file, "w", rate_hz, 1, _CODECS[codec][1], format=codec, **kept
    ) as sound:
        for piece in pieces:
            sound.write(piece)
    return file.getvalue()


def data_uri(kind: str, content: bytes) -> str:
    """A data URI of ``content`` with the media type ``kind``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
