"""Sounds inside a page: HTML that holds the sound itself."""

from __future__ import annotations

import base64
import io
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
    source = data_uri(_CODECS[codec][0], encoded(waveform, rate_hz, codec))
    return f'<audio controls preload=metadata src="{source}"></audio>'


def encoded(waveform: np.ndarray, rate_hz: int, codec: Codec) -> bytes:
    """float32 [L] as the bytes of a sound file."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, waveform, rate_hz, _CODECS[codec][1], format=codec)
    return file.getvalue()


def data_uri(kind: str, content: bytes) -> str:
    """A data URI of ``content`` with the media type ``kind``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
