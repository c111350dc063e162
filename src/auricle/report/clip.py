"""A clip's sound and its picture, small enough to lie in a page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

from auricle.audio.header import probe
from auricle.data.clip import Clip, load_clip
from auricle.errors import AudioError
from auricle.report.page import mp3

if TYPE_CHECKING:
    import numpy as np

MAX_S = 30.0  # of longer recordings the start is shown, as it is captioned
RANGE = 1.4  # of normalised log-mel energies, 80 dB
WIDTH = 800  # pixels at most
ROWS = 2  # pixels of a mel bin
QUALITY = 80
EMPTY_BIN = 3  # holds the floor always (see `auricle.audio.fbank`)


class Shown(NamedTuple):
    """``sound`` an MP3, ``picture`` a JPEG of its log-mel spectrogram; how long both last."""

    sound: bytes
    picture: bytes
    seconds: float


def show(clip: Clip) -> Shown:
    """The first `MAX_S` seconds of ``clip``.

    Raises:
        AudioError: it cannot be read.
    """
    from auricle.audio.fbank import SAMPLE_RATE_HZ

    waveform = load_clip(clip, SAMPLE_RATE_HZ, MAX_S)
    seconds = len(waveform) / SAMPLE_RATE_HZ
    return Shown(mp3(waveform, SAMPLE_RATE_HZ), spectrogram(waveform), seconds)


def duration_s(clip: Clip | None) -> float:
    """Seconds as the file declares them; not a number where there is no file, or it is broken."""
    if clip is None:
        return float("nan")
    try:
        end_s = probe(clip.audio)[1] if clip.end_s is None else clip.end_s
    except AudioError:
        return float("nan")
    return end_s - (clip.start_s or 0.0)


def spectrogram(waveform: np.ndarray) -> bytes:
    """A JPEG of the log-mel energies of float32 [L] at 16 kHz, low frequencies at the bottom."""
    import numpy as np
    import torch
    from matplotlib import image

    from auricle.audio.fbank import WINDOW, fbank

    padded = np.pad(waveform, (0, max(0, WINDOW - len(waveform))))
    frames = fbank(torch.from_numpy(padded)[None])[0]  # [T, 128]
    frames[:, EMPTY_BIN] = (frames[:, EMPTY_BIN - 1] + frames[:, EMPTY_BIN + 1]) / 2
    width = min(WIDTH, len(frames))
    shrunk = torch.nn.functional.adaptive_avg_pool1d(frames.T[None], width)[0]  # [128, W]
    picture = shrunk.flip(0).repeat_interleave(ROWS, dim=0).numpy()
    loudest = float(picture.max())
    file = io.BytesIO()
    image.imsave(
        file,
        picture,
        vmin=loudest - RANGE,
        vmax=loudest,
        cmap="magma",
        format="jpeg",
        pil_kwargs={"quality": QUALITY},
    )
    return file.getvalue()
