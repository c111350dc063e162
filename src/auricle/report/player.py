"""The clip player: a log-mel spectrogram above its sound, as HTML for a page."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from html import escape
from itertools import chain, count
from string import Template
from typing import TYPE_CHECKING, Literal

from auricle.audio.header import probe
from auricle.audio.inline import Codec, data_uri, sound_element
from auricle.audio.load import at_rate
from auricle.data.clip import Clip, load_clip
from auricle.errors import AudioError

if TYPE_CHECKING:
    import numpy as np

MAX_S = 30.0  # only this much is shown, as only this much is captioned
RANGE = 1.4  # of normalised log-mel energies: 80 dB
WIDTH = 800  # pixels at most
ROWS = 2  # pixels per mel bin
QUALITY = 80
EMPTY_BIN = 3  # always holds the floor (see `auricle.audio.fbank`)
MARKS_HZ = (250, 1000, 4000)
TICKS = 10  # at most, on the time axis

PLAYER = Template("""$bars<div class=picture><img src="$picture" alt="$alt">$marks\
<div class=time><i></i></div></div>
<div class=axis>$ticks</div>
$sound""")


def clip_player(clip: Clip, name: str) -> str:
    """The player of the first `MAX_S` seconds of ``clip``.

    Raises:
        AudioError: the clip cannot be read.
    """
    from auricle.audio.fbank import SAMPLE_RATE_HZ

    return player(load_clip(clip, SAMPLE_RATE_HZ, MAX_S), SAMPLE_RATE_HZ, name)


def player(
    waveform: np.ndarray,
    rate_hz: int,
    name: str,
    codec: Codec = "mp3",
    parts_s: Sequence[tuple[float, float]] = (),
) -> str:
    """The player of ``waveform``, float32 [L] at ``rate_hz``, with the label ``name``.

    ``parts_s``: up to two spans (begin, end) in seconds, drawn as bars above the picture.
    """
    seconds = len(waveform) / rate_hz
    bars = "".join(
        f'<div class={colour} style="margin-left: {100 * begin_s / seconds:.3f}%; '
        f'width: {100 * (end_s - begin_s) / seconds:.3f}%"></div>'
        for colour, (begin_s, end_s) in zip(("first", "second"), parts_s, strict=False)
    )
    return PLAYER.substitute(
        bars=f"<div class=bars>{bars}</div>\n" if bars else "",
        picture=data_uri("image/jpeg", picture(waveform, rate_hz)),
        alt=escape(f"spectrogram of {name}"),
        marks=frequency_marks(),
        ticks="".join(
            f'<span style="left: {100 * time_s / seconds:.3f}%">{time_s:g} s</span>'
            for time_s in ticks(seconds)
        ),
        sound=sound_element(waveform, rate_hz, codec),
    )


def picture(waveform: np.ndarray, rate_hz: int) -> bytes:
    """The `spectrogram` of float32 [L] as a JPEG, low frequencies at the bottom."""
    return coloured(spectrogram(waveform, rate_hz).repeat(ROWS, axis=0), "magma", "jpeg")


def coloured(values: np.ndarray, colours: str, kind: Literal["jpeg", "png"]) -> bytes:
    """[H, W] values from 0 to 1 as pixels, the first row at the bottom; ``colours``: a map of
    matplotlib's."""
    from matplotlib import image

    file = io.BytesIO()
    image.imsave(
        file,
        values,
        vmin=0,
        vmax=1,
        cmap=colours,
        origin="lower",
        format=kind,
        pil_kwargs={"quality": QUALITY} if kind == "jpeg" else None,
    )
    return file.getvalue()


def frequency_marks() -> str:
    """HTML of the frequencies over a picture."""
    return "".join(
        f'<span style="bottom: {100 * mark_height(hertz):.1f}%">{hertz:,} Hz</span>'
        for hertz in MARKS_HZ
    )


def spectrogram(waveform: np.ndarray, rate_hz: int) -> np.ndarray:
    """Log-mel energies of float32 [L] at 16 kHz: [128, W], 1 the loudest, 0 `RANGE` below it.

    The mel scale follows the resolution of the ear, and is the model's input. Silence is 0.
    """
    import numpy as np
    import torch

    from auricle.audio.fbank import SAMPLE_RATE_HZ, WINDOW

    waveform = at_rate(waveform, rate_hz, SAMPLE_RATE_HZ)
    frames = mel_frames(np.pad(waveform, (0, max(0, WINDOW - len(waveform)))))
    pooled = torch.nn.functional.adaptive_avg_pool1d(
        torch.from_numpy(frames.T)[None], min(WIDTH, len(frames))
    )
    return contrasted(pooled[0].numpy())


def mel_frames(waveform: np.ndarray) -> np.ndarray:
    """`fbank` of float32 [L] at 16 kHz, with the empty bin filled from its neighbours: [T, 128]."""
    import torch

    from auricle.audio.fbank import fbank

    frames = fbank(torch.from_numpy(waveform)[None])[0].numpy()
    frames[:, EMPTY_BIN] = (frames[:, EMPTY_BIN - 1] + frames[:, EMPTY_BIN + 1]) / 2
    return frames


def contrasted(energies: np.ndarray) -> np.ndarray:
    """Energies of `mel_frames` as they are drawn: 1 the loudest, 0 `RANGE` below it."""
    from auricle.audio.fbank import FLOOR

    lowest = max(FLOOR, float(energies.max()) - RANGE)
    return ((energies - lowest) / RANGE).clip(min=0)


def duration_s(clip: Clip | None) -> float:
    """The declared duration in seconds; NaN if there is no file, or it is broken."""
    if clip is None:
        return float("nan")
    try:
        end_s = probe(clip.audio)[1] if clip.end_s is None else clip.end_s
    except AudioError:
        return float("nan")
    return end_s - (clip.start_s or 0.0)


def mark_height(hertz: float) -> float:
    """The height of a frequency in the picture, from 0 (bottom) to 1."""
    from auricle.audio.fbank import HIGH_HZ, LOW_HZ, MEL_BINS, mel

    step = (mel(HIGH_HZ) - mel(LOW_HZ)) / (MEL_BINS + 1)
    return ((mel(hertz) - mel(LOW_HZ)) / step - 0.5) / MEL_BINS  # bin k is centred on step k + 1


def ticks(seconds: float) -> Iterator[float]:
    """Round times of an axis: steps of 1, 2 or 5 times a power of ten; from 10 s on, of the parts
    and multiples of minutes and hours."""
    steps = [base * 10.0**power for power in (-2, -1, 0) for base in (1, 2, 5)]
    steps += [10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200]
    longer = (6 * 3600 * 2**power for power in count())
    step_s = next(step for step in chain(steps, longer) if seconds <= TICKS * step)
    return (number * step_s for number in range(int(seconds / step_s) + 1))
