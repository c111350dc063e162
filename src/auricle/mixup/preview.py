"""Some mix-ups on one page, to listen to: sound, spectrogram, and what was mixed.

The page needs nothing but itself, so it can be sent to whoever judges the captions.
"""

from __future__ import annotations

import html
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.data.manifest import Clip, atomic_writer
from auricle.data.mixing import Mix
from auricle.errors import AudioError, DataError
from auricle.mixup.page import CARD, PAGE, ROW
from auricle.mixup.picture import BOTTOM, COLOURS, LEFT, RIGHT, picture, places
from auricle.mixup.render import OnSkip, Rendering, mixups
from auricle.page import PLAYER, STYLE, data_uri, flac

if TYPE_CHECKING:
    from auricle.data.sound import Mixed


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
