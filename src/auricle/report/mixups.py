"""Some mix-ups on one page, to listen to: sound, spectrogram, and what was mixed.

The page needs nothing but itself, so it can be sent to whoever judges the captions.
"""

from __future__ import annotations

import html
import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from auricle.data.clip import FOLLOWED_BY, Clip, Mix
from auricle.errors import AudioError, DataError, MissingDependencyError
from auricle.files import atomic_writer
from auricle.mixup.render import OnSkip, Rendering, mixups
from auricle.report.page import PLAYER, STYLE, data_uri, flac

if TYPE_CHECKING:
    import numpy as np

    from auricle.data.clip import Mixed


ROW = Template(
    '<tr><td><span class="dot $name"></span>$time</td><td>$caption</td>'
    "<td class=file>$file</td></tr>"
)

CARD = Template("""<section>
<h2>$caption</h2>
<p class=facts>$facts</p>
<div class=picture><img src="$picture" alt="$alt"><div class=time><i></i></div></div>
<audio controls preload=metadata src="$sound"></audio>
<table>$rows</table>
</section>""")

PAGE = Template("""<!DOCTYPE html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style.time { left: $left; width: $width }
.time i { bottom: $bottom }
td:first-child { white-space: nowrap; width: 9rem }
.file { text-align: right; padding-right: 0; overflow-wrap: anywhere; max-width: 14rem }
.dot { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px;
  margin-right: .5rem }
.first { background: $first }
.second { background: $second }
</style>
<h1>$title</h1>
<p class=facts>$note. Does the caption say what is heard, all of it, in this order?</p>
$cards
<script>
$player</script>
</html>
""")


def write_preview(
    manifest: Path,
    page: Path,
    count: int,
    rendering: Rendering | None = None,
    on_skip: OnSkip | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """``count`` random mix-ups of ``manifest``, mixed as ``rendering`` mixes them, as the HTML file
    ``page``; how many there are. Its seed draws them, too.

    What cannot be mixed goes to ``on_skip`` and gives its place to another. ``progress`` is told
    how many are done, of how many.

    Raises DataError: nothing can be mixed; MissingDependencyError without matplotlib.
    """
    rendering = rendering or Rendering()
    rows = list(mixups(manifest))
    random.Random(rendering.seed).shuffle(rows)
    cards: list[str] = []
    for clip, other in rows:
        if len(cards) == count:
            break
        try:
            mixed = rendering.mixed(clip, other)
        except AudioError as error:
            if on_skip:
                on_skip(clip.id, str(error))
            continue
        cards.append(_card(clip, mixed, rendering.sample_rate_hz))
        if progress:
            progress(len(cards), min(count, len(rows)))
    if not cards:
        raise DataError(f"{manifest}: no mix-up that can be mixed")
    with atomic_writer(page) as file:
        file.write(
            PAGE.substitute(
                style=STYLE,
                player=PLAYER,
                title=html.escape(f"Mix-ups of {manifest.name}"),
                note=f"{len(cards)} of {len(rows):,}, drawn by seed {rendering.seed}",
                left=f"{100 * LEFT}%",
                width=f"{100 * (RIGHT - LEFT)}%",
                bottom=f"{100 * BOTTOM}%",
                first=COLOURS[0],
                second=COLOURS[1],
                cards="\n".join(cards),
            )
        )
    return len(cards)


def _card(clip: Clip, mixed: Mixed, rate_hz: int) -> str:
    made_of = clip.extra.get("mixup")
    made_of = made_of if isinstance(made_of, dict) else {}
    parts: tuple[Clip | Mix, ...] = (clip, mixed.mix)
    rows = "".join(
        ROW.substitute(
            name=name,
            time=f"{begin_s:.1f} to {end_s:.1f} s",
            caption=html.escape(caption),
            file=html.escape(_name(part)),
        )
        for name, (begin_s, end_s), caption, part in zip(
            ("first", "second"), places(mixed), _captions(made_of), parts, strict=True
        )
    )
    level_db = mixed.mix.level_db or 0.0
    facts = [
        clip.id,
        mixed.mix.relation,
        f"the first {abs(level_db):.1f} dB {'louder' if level_db >= 0 else 'softer'}",
        *([str(made_of["model"])] if made_of.get("model") else []),
        *([clip.licence] if clip.licence else []),
    ]
    return CARD.substitute(
        caption=html.escape(" / ".join(clip.captions)),
        facts=html.escape(" · ".join(facts)),
        picture=data_uri("image/jpeg", picture(mixed, rate_hz)),
        sound=data_uri("audio/flac", flac(mixed.waveform, rate_hz)),
        rows=rows,
        alt=html.escape(f"spectrogram of {clip.id}"),
    )


def _captions(made_of: dict[str, Any]) -> tuple[str, str]:
    match made_of.get("captions"):
        case [str() as first, str() as second]:
            return first, second
    return "", ""


def _name(part: Clip | Mix) -> str:
    if part.start_s is None and part.end_s is None:
        return part.audio.name
    end = "" if part.end_s is None else f"{part.end_s:g} s"
    return f"{part.audio.name}, {part.start_s or 0:g} to {end or 'its end'}"


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
