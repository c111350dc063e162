"""The preview of mix-ups: a page to listen to some of them, with their sources."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from auricle.data.clip import FOLLOWED_BY, Clip, Mix, Mixed
from auricle.errors import AudioError, DataError
from auricle.files import atomic_writer, json_rows
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

REJECTED = Template("""<section>
<h2>What the filter kept of $total answers</h2>
<div class=wide><table class=figures>
<tr><th>and the first answer of each kind<th>answers<th>share$rows
</table></div>
</section>""")

REASON = Template("\n<tr><td>$reason<div class=facts>$example</div><td>$number<td>$share")
EXAMPLE = 200  # characters


def write_preview(
    manifest: Path,
    page: Path,
    count: int,
    rendering: Rendering | None = None,
    on_skip: OnSkip = silent,
    progress: Progress = silent,
    rejects: Path | None = None,
) -> int:
    """Write ``count`` random mix-ups of ``manifest``, mixed by ``rendering``, to the HTML file
    ``page``; return their number. The seed of ``rendering`` also draws them.

    Rows that cannot be mixed go to ``on_skip`` and are replaced. ``progress`` gets the number of
    finished mix-ups. If there is a file ``rejects`` (`auricle.mixup.filtering`), the page also
    shows how many answers the filter rejected, by reason.

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
    shown = len(cards)
    facts = (
        f"{shown} of {len(rows):,}, drawn by seed {rendering.seed}. Does the caption name all"
        " the sounds, and in this order?"
    )
    if rejects is not None and rejects.is_file():
        cards.append(_rejected(rejects, len(rows)))
    with atomic_writer(page) as file:
        file.write(html_page(f"Mix-ups of {manifest.name}", facts, "\n".join(cards)))
    return shown


def places(mixed: Mixed) -> Iterator[tuple[float, float]]:
    """The times (begin, end) in seconds of the first and of the second recording."""
    start_s = mixed.mix.offset_s or 0.0
    in_turn = mixed.mix.relation == FOLLOWED_BY
    later = 1 if in_turn or mixed.seconds[0] >= mixed.seconds[1] else 0
    for number, length_s in enumerate(mixed.seconds):
        begin_s = start_s if number == later else 0.0
        yield begin_s, begin_s + length_s


def _rejected(rejects: Path, kept: int) -> str:
    """A table of the reasons in the file ``rejects``, each with its number and first answer."""
    numbers, examples = Counter[str](), dict[str, str]()
    for _, row in json_rows(rejects):
        reason = str(row.get("reason"))
        numbers[reason] += 1
        examples.setdefault(reason, str(row.get("text", row.get("detail")))[:EXAMPLE])
    total = kept + numbers.total()
    lines = "".join(
        REASON.substitute(
            reason=escape(reason),
            number=f"{number:,}",
            share=f"{100 * number / total:.1f} %",
            example=escape(examples.get(reason, "")),
        )
        for reason, number in [("kept", kept), *numbers.most_common()]
    )
    return REJECTED.substitute(total=f"{total:,}", rows=lines)


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
