"""The page of a plot: one HTML file in which a caption's span is heard when it is clicked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

import numpy as np

from auricle.annotations import lanes, one_line
from auricle.audio.inline import audio_element, data_uri, encoded
from auricle.audio.load import open_window
from auricle.clock import clock
from auricle.files import atomic_writer
from auricle.records import Caption
from auricle.report.overview import Overview
from auricle.report.page import FIRST, html_page
from auricle.report.player import ROWS, coloured, frequency_marks
from auricle.report.plots import require_matplotlib
from auricle.report.timeline import Plot, axis
from auricle.report.words import WordsOverTime

# A sound of at most so many seconds is inside the page: (seconds, Hz, how small; see `encoded`).
EMBEDDED = ((600, 24_000, 0.6), (1800, 16_000, 0.8))  # 64 and 40 kbit/s: at most 5 and 9 MB
ROOM = {"tall": 0.07, "wide": 0.25}  # of the width, that a caption needs in its span; on a phone
HINT = "A click on a caption, here or below, plays it from its start to its end."

BODY = Template("""<section>
<div class=stack>
<div class=wave><svg viewBox="0 0 $columns 200" preserveAspectRatio=none aria-hidden=true \
style="width: $wide%"><path d="$wave"/></svg></div>
<div class=picture><img src="$picture" alt="$alt" style="width: $wide%">$marks</div>
$words<div class=time><i></i></div>
$parts
$lanes</div>
<div class=axis>$ticks</div>
<p class=now aria-live=polite></p>
$sound
<p class=facts id=note>$note</p>
<ol class=captions>
$rows</ol>
</section>""")

SPAN = Template(
    '<button class=span tabindex=-1 data-n=$n data-begin=$begin data-end=$end title="$caption" '
    'aria-label="$label" style="left: $left%; width: $width%$sure">'
    "<p><b>$n</b> <span>$caption</span></p></button>"
)

ROW = Template(
    "<li><button data-n=$n data-begin=$begin data-end=$end><b>$n</b>"
    '<small>$times</small><i style="$sure" title="confidence">$figure</i>'
    "<span>$caption</span></button>\n"
)

WORDS = Template("""<div class="picture attention" style="height: ${height}rem">
<img src="$picture" alt="attention of each word over time" style="left: $left%; width: $width%">
$labels</div>
""")

STYLE = f"""\
:root {{ --unsure: #eaeef2; --sure: #6fb1e4; --unknown: #e6e6e2; --edge: #7d8790; --on: #d9822b }}
@media (prefers-color-scheme: dark) {{
  :root {{ --unsure: #2d333a; --sure: #2a679d; --unknown: #3a3b3a; --edge: #8b939b; --on: #f0a04b }}
}}
.stack {{ position: relative }}
.wave {{ height: 4rem; overflow: hidden }}
.wave svg {{ height: 100%; display: block; max-width: none }}
.wave path {{ fill: {FIRST}; stroke: {FIRST}; vector-effect: non-scaling-stroke }}
.stack .picture {{ overflow: hidden; background: #000 }}
.stack .picture img {{ max-width: none }}
.attention {{ margin-top: 4px }}
.stack .attention img {{ position: absolute; height: 100%; image-rendering: pixelated }}
.stack .attention span {{ transform: translateY(-50%); font-size: .8rem; text-shadow: 0 0 3px #000,
  0 0 2px #000, 0 0 2px #000 }}
.time i {{ z-index: 2; pointer-events: none }}
.lane {{ position: relative; height: 2.2rem; margin-top: 4px; overflow: hidden }}
.lane.tall {{ height: 4.3rem }}
.lane button {{ position: absolute; z-index: 1; top: 0; bottom: 0; min-width: 2px; padding: 0;
  border: 0; border-left: 1px solid var(--edge); background: var(--unknown); color: inherit;
  font: .75rem/1.25 system-ui, sans-serif; text-align: left; overflow: hidden; cursor: pointer;
  container-type: inline-size; display: flex; align-items: flex-start }}
.lane p {{ margin: 1px 3px; display: -webkit-box; -webkit-line-clamp: 4;
  -webkit-box-orient: vertical; overflow: hidden; hyphens: auto }}
.lane p b {{ white-space: nowrap }}
.lane:not(.tall) p span {{ display: none }}
@container (max-width: 3.6rem) {{ .lane p span {{ display: none }} }}
@container (max-width: 1.45rem) {{ .lane p {{ display: none }} }}
.part {{ position: absolute; top: 0; height: 14rem; margin: 0; pointer-events: none }}
.part[aria-current] {{ border: 2px solid var(--on); box-sizing: border-box }}
.axis {{ margin-bottom: .3rem }}
.axis span:first-child {{ transform: none }}
.now {{ min-height: 1.45em; margin: .5rem 0; font-weight: 600 }}
.captions {{ list-style: none; padding: 0; margin: .5rem 0 0 }}
.captions button {{ display: grid; grid-template-columns: 2.6rem 9.5rem 3.2rem 1fr;
  gap: .1rem .6rem; align-items: center; width: 100%; min-height: 44px; padding: .3rem .4rem;
  border: 0; border-top: 1px solid var(--line); background: none; color: inherit; font: inherit;
  text-align: left; cursor: pointer; overflow-wrap: anywhere }}
.captions b {{ color: var(--faint); font-weight: normal; text-align: right }}
.captions small {{ font-size: .85rem; font-variant-numeric: tabular-nums; white-space: nowrap }}
.captions i {{ font: .85rem system-ui, sans-serif; text-align: center; border-radius: 3px;
  padding: .1rem 0; background: var(--unknown) }}
.captions button:hover {{ background: color-mix(in srgb, var(--link) 12%, transparent) }}
button:focus-visible {{ outline: 3px solid var(--on); outline-offset: -3px }}
.lane [aria-current] {{ box-shadow: inset 0 0 0 3px var(--on); border-color: var(--on) }}
.captions button[aria-current] {{ background: color-mix(in srgb, var(--on) 28%, transparent) }}
@media (max-width: 40rem) {{
  .lane.tall:not(.wide) {{ height: 2.2rem }}
  .lane:not(.wide) p span {{ display: none }}
  .captions button {{ grid-template-columns: 2rem 1fr 3.2rem }}
  .captions span {{ grid-column: 2 / 4 }}
}}
"""

# A click plays from a caption's begin to its end, and a second one stops it; what sounds is marked.
SCRIPT = """\
{
  const audio = document.querySelector("audio"), now = document.querySelector(".now")
  const rows = [...document.querySelectorAll(".captions button")]
  const spans = [...document.querySelectorAll(".lane button")]
  const begin = part => +part.dataset.begin, end = part => +part.dataset.end
  let chosen = null, shown = ""
  const sounds = row => chosen ? row.dataset.n === chosen.dataset.n
    : begin(row) <= audio.currentTime && audio.currentTime < end(row)
  const show = () => {
    const on = audio.paused ? [] : rows.filter(sounds), numbers = on.map(row => row.dataset.n)
    if (numbers.join() === shown) return
    shown = numbers.join()
    for (const part of document.querySelectorAll("[data-n]")) {
      if (numbers.includes(part.dataset.n)) part.setAttribute("aria-current", "true")
      else part.removeAttribute("aria-current")
    }
    now.textContent = on.map(row => row.lastChild.textContent).join(" · ")
  }
  const watch = () => {
    if (chosen && audio.currentTime >= end(chosen)) audio.pause()
    show()
  }
  const loop = () => {
    watch()
    if (!audio.paused) requestAnimationFrame(loop)
  }
  for (const part of [...rows, ...spans]) part.onclick = () => {
    const again = chosen && chosen.dataset.n === part.dataset.n && !audio.paused
    if (again) return audio.pause()
    chosen = part
    audio.currentTime = begin(part)
    audio.play()
    loop()
  }
  audio.addEventListener("play", loop)
  audio.addEventListener("timeupdate", watch)  // also where no frames are drawn
  audio.addEventListener("seeking", () => {
    const at = audio.currentTime
    if (chosen && (at < begin(chosen) - .05 || at > end(chosen))) chosen = null
    show()
  })
  audio.addEventListener("pause", () => { chosen = null; show() })
  audio.addEventListener("error", () => {
    document.querySelector("#note").textContent += " It cannot be loaded now."
  })
  document.querySelector(".captions").onkeydown = event => {
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key]
    const next = step && rows[rows.indexOf(document.activeElement) + step]
    if (next) { next.focus(); event.preventDefault() }
  }
}
"""


def write_page(plot: Plot, path: Path) -> None:
    """Write the page of ``plot`` as the HTML file ``path``.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        AudioError: the recording can no longer be read.
    """
    require_matplotlib()
    sound, note = _sound(plot, path)
    with atomic_writer(path) as file:
        file.write(page(plot, sound, note))


def page(plot: Plot, sound: str, note: str) -> str:
    """The page; ``sound``: the HTML of its player, ``note``: a line below it."""
    shown, name = plot.overview, one_line(plot.path.name)
    body = BODY.substitute(
        columns=len(shown.lows),
        wave=_outline(shown),
        wide=_percent(shown.width_s, shown),
        picture=data_uri(
            "image/jpeg", coloured(shown.energies.repeat(ROWS, axis=0), "magma", "jpeg")
        ),
        alt=escape(f"spectrogram of {name}"),
        marks=frequency_marks(),
        words=_words(plot.words, shown) if plot.words else "",
        parts="".join(_parts(plot)),
        lanes="".join(_lanes(plot)),
        ticks="".join(
            f'<span style="left: {_percent(time_s, shown)}%">{label}</span>'
            for time_s, label in _ticks_inside(shown.duration_s)
        ),
        sound=sound,
        note=escape(note),
        rows="".join(_row(one, n) for n, one in enumerate(plot.captions, 1)),
    )
    return html_page(name, plot.facts(), body, STYLE, SCRIPT)


def _sound(plot: Plot, path: Path) -> tuple[str, str]:
    """The HTML of the player, and a note on its sound."""
    shown = plot.overview
    for most_s, rate_hz, squeezed in EMBEDDED:
        if shown.duration_s <= most_s:
            with open_window(plot.path) as window:
                pieces = (
                    np.clip(piece / shown.loudest, -1, 1)
                    for piece in window.pieces(0.0, None, rate_hz)
                )
                content = encoded(pieces, rate_hz, "mp3", squeezed)
            note = f"{HINT} The sound in this page is an mp3 of {rate_hz // 1000} kHz, mono."
            return audio_element(data_uri("audio/mpeg", content)), note
    address = quote(os.fsencode(os.path.relpath(plot.path, path.parent)))
    note = (
        f"{HINT} A sound of {clock(shown.duration_s)} is too long to be inside this page: it"
        f" plays from {one_line(plot.path.name)}, which must stay where it is beside the page."
    )
    return audio_element(address), note


def _outline(shown: Overview) -> str:
    """The path of the waveform in a box of W x 200, as far as it fills it."""
    scale = 98 / max(shown.peak, 0.01)
    highs = [f"{n},{100 - scale * high:.1f}" for n, high in enumerate(shown.highs)]
    lows = [f"{n},{100 - scale * low:.1f}" for n, low in enumerate(shown.lows)]
    return f"M{' '.join(highs)} {' '.join(reversed(lows))}Z"


def _lanes(plot: Plot) -> Iterator[str]:
    numbers = {id(one): number for number, one in enumerate(plot.captions, 1)}
    duration_s = plot.overview.duration_s
    for lane in lanes(plot.captions):
        longest = max(one.end_s - one.start_s for one in lane) / duration_s
        kinds = ["lane", *(kind for kind, room in ROOM.items() if longest >= room)]
        spans = "".join(_span(one, numbers[id(one)], plot.overview) for one in lane)
        yield f'<div class="{" ".join(kinds)}">{spans}</div>\n'


def _parts(plot: Plot) -> Iterator[str]:
    """What is framed over the pictures while a caption sounds."""
    for number, one in enumerate(plot.captions, 1):
        left, width = _place(one, plot.overview)
        yield f'<i class=part data-n={number} style="left: {left}%; width: {width}%"></i>'


def _span(one: Caption, number: int, shown: Overview) -> str:
    left, width = _place(one, shown)
    return SPAN.substitute(
        n=number,
        begin=one.start_s,
        end=one.end_s,
        caption=escape(one_line(one.caption)),
        label=escape(f"{number}, {_times(one)}: {one_line(one.caption)}"),
        left=left,
        width=width,
        sure=f"; {_sure(one)}",
    )


def _row(one: Caption, number: int) -> str:
    return ROW.substitute(
        n=number,
        begin=one.start_s,
        end=one.end_s,
        times=_times(one),
        sure=_sure(one),
        figure="–" if one.confidence is None else f"{one.confidence:.2f}",
        caption=escape(one_line(one.caption)),
    )


def _sure(one: Caption) -> str:
    """The style of a caption's confidence."""
    if one.confidence is None:
        return ""
    share = f"{100 * one.confidence:.0f}%"
    return f"background: color-mix(in srgb, var(--sure) {share}, var(--unsure))"


def _times(one: Caption) -> str:
    return f"{clock(one.start_s, 1)} – {clock(one.end_s, 1)}"


def _words(words: WordsOverTime, shown: Overview) -> str:
    """The first word on top."""
    values = words.weights[::-1] / words.weights.max()
    count = len(words.words)
    return WORDS.substitute(
        height=1.4 * count,
        picture=data_uri("image/png", coloured(values, "viridis", "png")),
        left=_percent(words.start_s, shown),
        width=_percent(words.end_s - words.start_s, shown),
        labels="".join(
            f'<span style="top: {100 * (n + 0.5) / count:.2f}%">{escape(word)}</span>'
            for n, word in enumerate(words.words)
        ),
    )


def _ticks_inside(duration_s: float) -> Iterator[tuple[float, str]]:
    """Ticks whose labels do not stick out at the end."""
    return (tick for tick in axis(duration_s) if tick[0] <= 0.96 * duration_s)


def _place(one: Caption, shown: Overview) -> tuple[str, str]:
    """Left edge and width of a caption's span, in percent."""
    end_s = min(one.end_s, shown.duration_s)
    return _percent(one.start_s, shown), _percent(end_s - one.start_s, shown)


def _percent(seconds: float, shown: Overview) -> str:
    return f"{100 * seconds / shown.duration_s:.3f}"
