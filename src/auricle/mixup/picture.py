"""A mix as a picture: when either recording is heard, and the spectrogram of both."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auricle.data.mixing import FOLLOWED_BY
from auricle.errors import MissingDependencyError

if TYPE_CHECKING:
    import numpy as np

    from auricle.data.sound import Mixed

SIZE_INCHES, DPI = (8.0, 2.5), 120
QUALITY = 85  # a fifth of what a PNG of so much noise takes
LEFT, RIGHT = 0.065, 0.978  # of the picture's width: where time begins and ends in it
BOTTOM, TOP = 0.17, 0.88  # of its height: where the spectrogram does
WINDOW_S, RANGE_DB = 0.032, 80.0
COLOURS = ("#2f7ebc", "#d9822b")  # of the first recording and of the second


def places(mixed: Mixed) -> Iterator[tuple[float, float]]:
    """From when to when, in seconds, the first recording is heard, and the second."""
    start_s = mixed.mix.offset_s or 0.0
    in_turn = mixed.mix.relation == FOLLOWED_BY
    later = 1 if in_turn or mixed.seconds[0] >= mixed.seconds[1] else 0
    for number, length_s in enumerate(mixed.seconds):
        begin_s = start_s if number == later else 0.0
        yield begin_s, begin_s + length_s


def picture(mixed: Mixed, rate_hz: int) -> bytes:
    """A JPEG: a bar for either recording, and the spectrogram of both under it.

    Raises MissingDependencyError without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            'spectrograms are drawn by matplotlib, which is not installed: pip install "auricle'
            '[data]"'
        ) from error

    figure = Figure(figsize=SIZE_INCHES, dpi=DPI)
    FigureCanvasAgg(figure)
    duration_s = len(mixed.waveform) / rate_hz
    bars = figure.add_axes((LEFT, TOP + 0.02, RIGHT - LEFT, 0.98 - TOP))
    for number, (begin_s, end_s) in enumerate(places(mixed)):
        bars.barh(-number, end_s - begin_s, left=begin_s, height=0.8, color=COLOURS[number])
    bars.set(xlim=(0, duration_s), ylim=(-1.5, 0.5))
    bars.axis("off")
    axes = figure.add_axes((LEFT, BOTTOM, RIGHT - LEFT, TOP - BOTTOM))
    axes.imshow(
        _spectrogram(mixed.waveform, rate_hz),
        origin="lower",
        aspect="auto",
        extent=(0, duration_s, 0, rate_hz / 2000),
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0,
    )
    axes.set_xlabel("s", labelpad=0)
    axes.set_ylabel("kHz")
    file = io.BytesIO()
    figure.savefig(file, format="jpeg", pil_kwargs={"quality": QUALITY})
    return file.getvalue()


def _spectrogram(waveform: np.ndarray, rate_hz: int) -> np.ndarray:
    """float [bins, frames]: dB below the loudest bin."""
    import numpy as np

    size = round(WINDOW_S * rate_hz)
    padded = np.pad(waveform, size // 2)
    if len(padded) < 2 * size:
        padded = np.pad(padded, (0, 2 * size - len(padded)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 4]
    power = np.abs(np.fft.rfft(frames * np.hanning(size))) ** 2
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    return (decibels - decibels.max()).T
