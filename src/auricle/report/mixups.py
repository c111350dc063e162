"""The preview of mix-ups: a page to listen to some of them, with their sources."""

from __future__ import annotations

import random
from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from auricle.data.clip import FOLLOWED_BY, Clip, Mix, Mixed
from auricle.errors import AudioError, DataError
from auricle.files import atomic_writer
from auricle.mixup.render import Rendering, mixups
from auricle.report.page import html_page
from auricle.report.player import player
from auricle.report.plots import require_matplotlib
from auricle.watch import OnSkip, Progress, silent

CARD = Template("""<section>
<h2>$caption</h2>
<p class=facts>$facts</p>
$player
<table class=sources>$rows</table>
</section>""")

ROW = Template(
    '<tr><td><span class="dot $colour"></span>$time</td><td>$caption</td>'
    "<td class=file>$file</td></tr>"
)


def write_preview(
    manifest: Path,
    page: Path,
    count: int,
    rendering: Rendering | None = None,
    on_skip: OnSkip = silent,
    progress: Progress = silent,
) -> int:
    """Write ``count`` random mix-ups of ``manifest``, mixed by ``rendering``, to the HTML file
    ``page``; return their number. The seed of ``rendering`` also draws them.

    Rows that cannot be mixed go to ``on_skip`` and are replaced. ``progress`` gets the number of
    finished mix-ups.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        DataError: no row can be mixed.
    """
    require_matplotlib()
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
            on_skip(clip.id, str(error))
            continue
        cards.append(_card(clip, mixed, rendering.sample_rate_hz))
        progress("preview", len(cards), min(count, len(rows)))
    if not cards:
        raise DataError(f"{manifest}: no mix-up that can be mixed")
    facts = (
        f"{len(cards)} of {len(rows):,}, drawn by seed {rendering.seed}. Does the caption name all"
        " the sounds, and in this order?"
    )
    with atomic_writer(page) as file:
        file.write(html_page(f"Mix-ups of {manifest.name}", facts, "\n".join(cards)))
    return len(cards)


def places(mixed: Mixed) -> Iterator[tuple[float, float]]:
    """The times (begin, end) in seconds of the first and of the second recording."""
    start_s = mixed.mix.offset_s or 0.0
    in_turn = mixed.mix.relation == FOLLOWED_BY
    later = 1 if in_turn or mixed.seconds[0] >= mixed.seconds[1] else 0
    for number, length_s in enumerate(mixed.seconds):
        begin_s = start_s if number == later else 0.0
        yield begin_s, begin_s + length_s


def _card(clip: Clip, mixed: Mixed, rate_hz: int) -> str:
    made_of = clip.extra.get("mixup")
    made_of = made_of if isinstance(made_of, dict) else {}
    heard_s = list(places(mixed))
    parts: tuple[Clip | Mix, ...] = (clip, mixed.mix)
    rows = "".join(
        ROW.substitute(
            colour=colour,
            time=f"{begin_s:.1f} to {end_s:.1f} s",
            caption=escape(caption),
            file=escape(_name(part)),
        )
        for colour, (begin_s, end_s), caption, part in zip(
            ("first", "second"), heard_s, _captions(made_of), parts, strict=True
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
        caption=escape(" / ".join(clip.captions)),
        facts=escape(" · ".join(facts)),
        player=player(mixed.waveform, rate_hz, clip.id, "flac", heard_s),
        rows=rows,
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
