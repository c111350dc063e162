"""The picture of a plot, as a PNG file: waveform, spectrogram, captions as spans, a list.

Texts are measured before they are placed, so none runs into another: a caption is written into its
span where it fits there, and all are in the list below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.annotations import lanes, one_line
from auricle.clock import clock
from auricle.files import whole_file
from auricle.records import Caption
from auricle.report.page import FIRST
from auricle.report.player import MARKS_HZ, mark_height
from auricle.report.plots import literally, require_matplotlib
from auricle.report.timeline import Plot, axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

DPI = 130
WIDTH, LEFT, RIGHT, EDGE = 13.0, 0.85, 0.3, 0.2  # inches, as all lengths without a unit
TITLE, WAVEFORM, SPECTROGRAM, WORD, TIMES, GAP = 0.6, 0.9, 2.3, 0.24, 0.4, 0.1
TEXT, HEADING = 9.0, 13.0  # points
LINE = 1.4 * TEXT / 72
PAD = 0.05  # around the text in a span
IN_SPAN = 5  # lines of a caption in its span at most
LISTED = 300  # captions; a page shows more
IN_ONE_COLUMN = 12  # captions; a longer list has two columns
LONGEST = 24  # characters of a word beside its attention
SHOWN = 500  # characters of a caption
FIGURES = 2.5  # before a caption in the list: its number, times and confidence
QUIET = 0.01  # a peak below it fills less than the height
EDGES = "#7d8790"
UNSURE, SURE, UNKNOWN = "#eaeef2", "#6fb1e4", "#e6e6e2"  # black text is readable on all
FAINT = "#666666"


@dataclass(frozen=True)
class Block:
    """A part of the picture from side to side; ``draw`` gets its axes: those of time in seconds
    if ``timed``, else in inches from the top left corner."""

    height: float
    draw: Callable[[Axes], None]
    timed: bool = True


@dataclass(frozen=True)
class Label:
    """A caption in its lane: its span and the ``lines`` of text in it, in inches from the lane's
    left end."""

    caption: Caption
    begin: float
    end: float
    lines: Sequence[str]


def write_picture(plot: Plot, path: Path) -> None:
    """Write the picture of ``plot`` as the PNG file ``path``.

    Raises MissingDependencyError: matplotlib is not installed.
    """
    require_matplotlib()
    with literally(), whole_file(path) as part:
        drawn(plot).savefig(part, format="png", dpi=DPI)


def drawn(plot: Plot) -> Figure:
    from matplotlib.figure import Figure

    words = plot.words.words if plot.words else ()
    left = max([LEFT, *(width(_short(word)) + EDGE + GAP for word in words)])
    blocks = [*_blocks(plot, WIDTH - left - RIGHT)]
    height = sum(block.height + GAP for block in blocks)
    figure, top = Figure(figsize=(WIDTH, height), dpi=DPI), 0.0
    for block in blocks:
        begin, end = (left, WIDTH - RIGHT) if block.timed else (EDGE, WIDTH - EDGE)
        bottom = height - top - block.height
        axes = figure.add_axes(
            (begin / WIDTH, bottom / height, (end - begin) / WIDTH, block.height / height)
        )
        if block.timed:
            axes.set(xlim=(0, plot.overview.duration_s), xticks=[], yticks=[])
            axes.tick_params(length=0, labelsize=TEXT)
            axes.spines[:].set_visible(False)
        else:
            axes.set(xlim=(0, end - begin), ylim=(block.height, 0))
            axes.axis("off")
        block.draw(axes)
        top += block.height + GAP
    return figure


@lru_cache(maxsize=10_000)
def width(text: str, points: float = TEXT) -> float:
    """Of ``text`` on one line."""
    from matplotlib.font_manager import FontProperties

    font = FontProperties(size=points)
    return float(_renderer().get_text_width_height_descent(text, font, ismath=False)[0]) / DPI


@cache
def _renderer() -> RendererAgg:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, DPI)


def wrapped(text: str, most: float) -> list[str] | None:
    """``text`` in lines that are no wider than ``most``; None if a word is wider."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if width(longer) <= most:
            lines[-1] = longer
        elif width(word) <= most:
            lines.append(word)
        else:
            return None
    return lines


def labels(plot: Plot, length: float) -> list[list[Label]]:
    """The labels of each lane, ``length`` long: the caption where it fits into its span, else its
    number where there is room up to the next span, else nothing."""
    scale = length / plot.overview.duration_s
    numbers = {id(one): str(number) for number, one in enumerate(plot.captions, 1)}
    found = []
    for lane in lanes(plot.captions):
        begins = [scale * one.start_s for one in lane]
        row = []
        for one, begin, room in zip(lane, begins, [*begins[1:], length], strict=True):
            end = min(length, scale * one.end_s)
            text = one_line(one.caption)
            lines = wrapped(text, end - begin - 2 * PAD) if len(text) <= SHOWN else None
            if lines is None or len(lines) > IN_SPAN:
                lines = wrapped(numbers[id(one)], room - begin - 2 * PAD) or []
            row.append(Label(one, begin, end, lines))
        found.append(row)
    return found


def _blocks(plot: Plot, length: float) -> Iterator[Block]:
    """``length``: of the axes of time."""
    yield Block(TITLE, lambda axes: _draw_title(axes, plot), timed=False)
    yield Block(WAVEFORM, lambda axes: _draw_waveform(axes, plot))
    yield Block(SPECTROGRAM, lambda axes: _draw_spectrogram(axes, plot))
    if plot.words:
        words = len(plot.words.words)
        yield Block(WORD * words, lambda axes: _draw_words(axes, plot))
    rows = labels(plot, length)
    heights = [LINE * max(1, *(len(one.lines) for one in row), 0) + 2 * PAD for row in rows]
    if rows:
        yield Block(sum(heights), lambda axes: _draw_spans(axes, rows, heights, length))
    yield Block(TIMES, lambda axes: _draw_times(axes, plot))
    if entries := [*_entries(plot)]:
        height = LINE * max(one.line + len(one.lines) for one in entries) + EDGE
        yield Block(height, lambda axes: _draw_list(axes, entries), timed=False)


def _draw_title(axes: Axes, plot: Plot) -> None:
    """The name and the facts; on the right, what the colours mean."""
    room = axes.get_xlim()[1]
    name = _start(one_line(plot.path.name), room, HEADING)
    _write(axes, 0, 0.2, name, fontsize=HEADING)
    _write(axes, 0, 0.48, _start(one_line(plot.facts()), room - 3), color=FAINT)
    if any(one.confidence is not None for one in plot.captions):
        image = [[step / 99 for step in range(100)]]
        axes.imshow(
            image, _colours(), extent=(room - 1.6, room - 0.2, 0.54, 0.42), aspect="auto", vmin=0
        )
        _write(axes, room - 1.65, 0.48, "confidence 0", color=FAINT, ha="right")
        _write(axes, room, 0.48, "1", color=FAINT, ha="right")


def _draw_waveform(axes: Axes, plot: Plot) -> None:
    from numpy import arange

    shown = plot.overview
    times = shown.column_s * (arange(len(shown.lows)) + 0.5)
    axes.fill_between(times, shown.lows, shown.highs, color=FIRST, linewidth=0.6)
    axes.set_ylim(-1.05 * max(shown.peak, QUIET), 1.05 * max(shown.peak, QUIET))


def _draw_spectrogram(axes: Axes, plot: Plot) -> None:
    shown = plot.overview
    axes.imshow(
        shown.energies,
        cmap="magma",
        vmin=0,
        vmax=1,
        extent=(0, shown.width_s, 0, 1),
        origin="lower",
        aspect="auto",
        interpolation="bilinear",
    )
    axes.set(xlim=(0, shown.duration_s), yticks=[mark_height(hertz) for hertz in MARKS_HZ])
    axes.set_yticklabels([f"{hertz:,} Hz" for hertz in MARKS_HZ], color=FAINT)


def _draw_words(axes: Axes, plot: Plot) -> None:
    """The first word on top; bright where much of its attention is."""
    words = plot.words
    assert words is not None
    rows = len(words.words)
    axes.set_facecolor(UNKNOWN)
    axes.imshow(
        words.weights,
        cmap="viridis",
        vmin=0,
        extent=(words.start_s, words.end_s, rows - 0.5, -0.5),
        aspect="auto",
        interpolation="nearest",
    )
    axes.set(xlim=(0, plot.overview.duration_s), yticks=range(rows))
    axes.set_yticklabels([_short(word) for word in words.words])


def _draw_spans(
    axes: Axes, rows: Sequence[Sequence[Label]], heights: Sequence[float], length: float
) -> None:
    axes.set(xlim=(0, length), ylim=(sum(heights), 0))
    top = 0.0
    for row, height in zip(rows, heights, strict=True):
        for one in row:
            _box(axes, one.begin, top, one.end - one.begin, height - GAP / 3, one.caption)
            for number, line in enumerate(one.lines):
                _write(axes, one.begin + PAD, top + PAD + LINE * (number + 0.45), line)
        top += height


def _draw_times(axes: Axes, plot: Plot) -> None:
    """The axis of time."""
    for time_s, label in axis(plot.overview.duration_s):
        axes.axvline(time_s, 0.85, 1.0, color=FAINT, linewidth=0.8)
        axes.text(time_s, 0.5, label, fontsize=TEXT, ha="center", va="center", color=FAINT)
    axes.axhline(1.0, color=FAINT, linewidth=0.8)
    axes.set_ylim(0, 1)
    axes.axis("off")


@dataclass(frozen=True)
class Entry:
    """A caption in the list below: its ``number``, its column's left edge, and its lines."""

    caption: Caption
    number: int
    left: float
    line: int
    lines: Sequence[str]


def _entries(plot: Plot) -> Iterator[Entry]:
    captions = plot.captions[:LISTED]
    columns = 1 if len(captions) <= IN_ONE_COLUMN else 2
    room = (WIDTH - 2 * EDGE) / columns
    texts = [_cut(one_line(one.caption), room - FIGURES - EDGE) for one in captions]
    if left_out := len(plot.captions) - len(captions):
        texts[-1] = [*texts[-1], f"and {left_out:,} more; a page (--output NAME.html) has them all"]
    most = -(-sum(map(len, texts)) // columns)
    column = line = 0
    for number, (one, lines) in enumerate(zip(captions, texts, strict=True), 1):
        if line >= most:
            column, line = column + 1, 0
        yield Entry(one, number, room * column, line, lines)
        line += len(lines)


def _draw_list(axes: Axes, entries: Sequence[Entry]) -> None:
    """Number, times, confidence in its colour, caption."""
    for one in entries:
        caption, middle = one.caption, LINE * (one.line + 0.5)
        _write(axes, one.left + 0.35, middle, f"{one.number}", ha="right", color=FAINT)
        times = f"{clock(caption.start_s, 1)} – {clock(caption.end_s, 1)}"
        _write(axes, one.left + 1.85, middle, times, ha="right", color=FAINT)
        _box(axes, one.left + 1.95, middle - 0.4 * LINE, 0.4, 0.8 * LINE, caption)
        sure = "–" if caption.confidence is None else f"{caption.confidence:.2f}"
        _write(axes, one.left + 2.15, middle, sure, ha="center")
        for number, line in enumerate(one.lines):
            _write(axes, one.left + FIGURES, middle + LINE * number, line)


def _box(axes: Axes, left: float, top: float, wide: float, high: float, caption: Caption) -> None:
    from matplotlib.patches import Rectangle

    sure = caption.confidence
    colour = UNKNOWN if sure is None else _colours()(sure)
    axes.add_patch(
        Rectangle((left, top), wide, high, facecolor=colour, edgecolor=EDGES, linewidth=0.5)
    )


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    axes.text(x, y, text, **{"fontsize": TEXT, "va": "center", "clip_on": False, **style})


def _colours() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("confidence", [UNSURE, SURE])


def _cut(text: str, most: float) -> list[str]:
    """As `wrapped`; words that are too wide are cut."""
    parts = []
    for word in text[:SHOWN].split():
        while width(word) > most:
            end = next(n for n in range(len(word), 0, -1) if n == 1 or width(word[:n]) <= most)
            parts.append(word[:end])
            word = word[end:]
        parts.append(word)
    return wrapped(" ".join(parts), most) or [""]


def _start(text: str, most: float, points: float = TEXT) -> str:
    """The start of ``text`` that is no wider than ``most``."""
    shown = text[:SHOWN]
    while len(shown) > 1 and width(shown, points) > most:
        shown = f"{shown[:-2]}…"
    return shown


def _short(word: str) -> str:
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…"
