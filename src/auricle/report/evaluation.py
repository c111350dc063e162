"""A report that lies in a folder: a page to read and listen to, and the same as JSON and Markdown.

The page needs nothing but itself: drawings, sounds and spectrograms of the clips shown lie in it.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from string import Template

from auricle.errors import AudioError, DataError
from auricle.evaluation.assessment import Assessment, as_json
from auricle.evaluation.table import COLUMNS, figure, heading, markdown, remarks, score_rows
from auricle.files import atomic_writer
from auricle.metrics.scores import Score
from auricle.records import Candidate
from auricle.report.clip import duration_s, show
from auricle.report.page import PLAYER, STYLE, data_uri
from auricle.report.plots import against, distributions, require_matplotlib

CLIP = Template("""<section>
<h2>$caption</h2>
<p class=facts>$facts</p>
$player
<p class=label>People said</p>
<ul>$references</ul>
$candidates
</section>""")

SOUND = Template("""<div class=picture><img src="$picture" alt="$alt">\
<div class=time><i></i></div></div>
<p class="facts axis"><span>0 s</span><span>$seconds s</span></p>
<audio controls preload=metadata src="$sound"></audio>""")

CANDIDATES = Template("""<details><summary>$count candidates</summary>
<div class=wide><table class=figures><tr><th>candidate$head</tr>
$rows
</table></div></details>""")

PAGE = Template(
    """<!DOCTYPE html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
"""
    + STYLE
    + """\
h1 { margin-bottom: .3rem }
h2 + p { margin-top: 0 }
.part { margin: 2.2rem 0 .4rem; font-size: 1.25rem }
.picture img { height: 8rem; object-fit: fill; image-rendering: auto }
.axis { display: flex; justify-content: space-between; margin: 0 }
.label { color: #666; font-size: .85rem; margin: .6rem 0 0 }
ul { margin: .1rem 0 .6rem; padding-left: 1.2rem }
.wide { overflow-x: auto }
.figures td, .figures th { text-align: right; font-variant-numeric: tabular-nums;
  padding: .15rem 0 .15rem .9rem; white-space: nowrap; font-weight: normal }
.figures th { color: #666; font-size: .85rem; border-bottom: 1px solid #ddd }
.figures td:first-child, .figures th:first-child { text-align: left; padding-left: 0;
  white-space: normal; min-width: 12rem }
.figures td:last-child { text-align: right }
.chosen { font-weight: 600 }
.bad { color: #a33 }
.panels { display: flex; flex-wrap: wrap; gap: .5rem }
.panels svg { width: 18rem; max-width: 100%; height: auto }
summary { cursor: pointer; color: #2f6ea5 }
</style>
<h1>$heading</h1>
<p class=facts>$facts</p>
<section><div class=wide><table class=figures><tr>$columns</tr>
$scores
</table></div>
$remarks</section>
$plots
$errors
$clips
<section><details><summary>All $count clips</summary>
<div class=wide><table class=figures><tr><th>caption<th>clip<th>$ranked_by</tr>
$all
</table></div></details></section>
<script>
"""
    + PLAYER
    + """</script>
</html>
"""
)


SHOWN = 10  # clips at either end
DRAWN = ("SPIDEr-FL", "SPICE", "CIDEr-D", "METEOR", "ROUGE-L", "FENSE")
FILES = ("report.html", "report.json", "report.md")

Progress = Callable[[int, int], None]  # clips shown, of how many
escape = html.escape


def prepare(folder: Path) -> None:
    """Find out before hours are spent whether a report can be written.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        DataError: the folder cannot be made.
    """
    require_matplotlib()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: no folder for a report ({error.strerror})") from error


def write_report(
    assessment: Assessment, folder: Path, progress: Progress | None = None
) -> list[Path]:
    """Write `FILES` into ``folder``; their paths. ``progress`` is told of the clips shown.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        DataError: the folder cannot be made.
    """
    prepare(folder)
    contents = (
        page(assessment, progress),
        json.dumps(as_json(assessment), ensure_ascii=False, indent=1) + "\n",
        markdown(assessment) + _clips_in_markdown(assessment),
    )
    paths = [folder / name for name in FILES]
    for path, content in zip(paths, contents, strict=True):
        with atomic_writer(path) as file:
            file.write(content)
    return paths


def ends(ranked: Score, shown: int = SHOWN) -> dict[str, list[int]]:
    """Numbers of the clips to show, best first and worst first; of few clips, all by rank."""
    order = sorted(range(len(ranked.items)), key=lambda n: -ranked.items[n])
    if len(order) <= 2 * shown:
        return {f"All clips by {ranked.name}": order}
    return {
        f"Best by {ranked.name}": order[:shown],
        f"Worst by {ranked.name}": order[::-1][:shown],
    }


def page(assessment: Assessment, progress: Progress | None = None) -> str:
    """The whole report as HTML."""
    pairs, ranked = assessment.pairs, assessment.ranking()
    parts = ends(ranked) if ranked else {}
    total = sum(map(len, parts.values()))
    cards, done = [], 0
    for title, numbers in parts.items():
        cards.append(f"<p class=part>{escape(title)}</p>")
        for number in numbers:
            cards.append(_card(assessment, number))
            done += 1
            if progress:
                progress(done, total)
    listed = sorted(range(len(pairs.references)), key=lambda n: -ranked.items[n] if ranked else n)
    return PAGE.substitute(
        title=escape(f"Captions of {Path(assessment.system).name}"),
        heading=escape(f"Captions of {Path(assessment.system).name}"),
        facts=escape(heading(assessment)),
        columns="".join(f"<th>{name}" for name in COLUMNS),
        scores="\n".join(_row(row) for row in score_rows(assessment.evaluation)),
        remarks="".join(
            f"<p class=label>{title}</p><ul>{_items(lines)}</ul>"
            for title, lines in remarks(assessment).items()
        ),
        plots=_plots(assessment, ranked),
        errors=_errors(assessment),
        clips="\n".join(cards),
        count=f"{len(listed):,}",
        ranked_by=escape(ranked.name) if ranked else "",
        all="\n".join(
            _row(
                (
                    pairs.predictions[n].caption,
                    pairs.references[n].id,
                    figure(ranked.items[n]) if ranked else "",
                )
            )
            for n in listed
        ),
    )


def _plots(assessment: Assessment, ranked: Score | None) -> str:
    pairs, drawn = assessment.pairs, _drawn(assessment)
    if not drawn or ranked is None:
        return ""
    quantities: dict[str, Sequence[float]] = {
        "words of the caption": [float(len(text.split())) for text in pairs.captions]
    }
    durations = [duration_s(clip.audio) for clip in pairs.references]
    if any(seconds == seconds for seconds in durations):  # NaN: no recording
        quantities["seconds of the clip"] = durations
    return (
        f"<section><h2>How clips score</h2>{_panels(distributions(drawn))}</section>\n"
        f"<section><h2>By length and duration</h2>{_panels(against(ranked, quantities))}"
        "<p class=facts>Dots are clips; the others are means of clips of like length, with 95 % "
        "intervals.</p></section>"
    )


def _panels(drawings: Sequence[str]) -> str:
    return f"<div class=panels>{''.join(drawings)}</div>"


def _errors(assessment: Assessment) -> str:
    """The fluency detector's errors by kind, and the captions that have them."""
    found = _faults(assessment)
    if not found:
        return ""
    counts = Counter(fault for _, fault in found)
    rows = "\n".join(_row((fault, f"{count:,}")) for fault, count in counts.most_common())
    captions = assessment.pairs.captions
    shown = [f"{captions[number]} ({fault})" for number, fault in found[: 2 * SHOWN]]
    more = [f"… and {len(found) - len(shown):,} more"] if len(found) > len(shown) else []
    return (
        f"<section><h2>Fluency errors</h2><table class=figures>{rows}</table>"
        f"<ul>{_items([*shown, *more])}</ul></section>"
    )


def _faults(assessment: Assessment) -> list[tuple[int, str]]:
    found = ((n, assessment.fault(n)) for n in range(len(assessment.pairs.references)))
    return [(number, fault) for number, fault in found if fault]


def _card(assessment: Assessment, number: int) -> str:
    prediction, reference = (
        assessment.pairs.predictions[number],
        assessment.pairs.references[number],
    )
    facts = [reference.id, *_item_scores(assessment, number)]
    fault = assessment.fault(number)
    return CLIP.substitute(
        caption=escape(prediction.caption),
        facts=escape(" · ".join(facts))
        + (f" · <span class=bad>{escape(fault)}</span>" if fault else ""),
        player=_player(assessment, number),
        references=_items(reference.captions),
        candidates=_candidates(prediction.candidates, prediction.caption),
    )


def _item_scores(assessment: Assessment, number: int) -> Iterator[str]:
    for score in _drawn(assessment):
        yield f"{score.name} {figure(score.items[number])}"


def _drawn(assessment: Assessment) -> list[Score]:
    """The scores of `DRAWN`, whatever their labels."""
    scores = assessment.evaluation.scores
    return [s for s in scores if s.items and s.name.partition(" (")[0] in DRAWN]


def _player(assessment: Assessment, number: int) -> str:
    reference = assessment.pairs.references[number]
    if reference.audio is None:
        return ""
    try:
        shown = show(reference.audio)
    except AudioError as error:
        return f"<p class=facts>{escape(str(error))}</p>"
    return SOUND.substitute(
        picture=data_uri("image/jpeg", shown.picture),
        alt=escape(f"spectrogram of {reference.id}", quote=True),
        seconds=f"{shown.seconds:.3g}",
        sound=data_uri("audio/mpeg", shown.sound),
    )


def _candidates(candidates: Sequence[Candidate], caption: str) -> str:
    """A table of the candidates, with the scores that any of them has."""
    if not candidates:
        return ""
    names = {
        "score": "score",
        "log_likelihood": "log-likelihood",
        "similarity": "similarity",
        "agreement": "agreement",
        "fluency": "fluency",
        "count": "drawn",
    }
    known = {
        field: title
        for field, title in names.items()
        if any(getattr(candidate, field) is not None for candidate in candidates)
    }
    rows = []
    for candidate in candidates:
        values = [getattr(candidate, field) for field in known]
        cells = ["-" if v is None else f"{v}" if isinstance(v, int) else f"{v:.3f}" for v in values]
        chosen = candidate.text == caption
        cells.append("the caption" if chosen else candidate.reason or "")
        rows.append(_row((candidate.text, *cells), "chosen" if chosen else ""))
    head = "".join(f"<th>{escape(title)}" for title in (*known.values(), ""))
    return CANDIDATES.substitute(
        count=len(candidates),
        head=head,
        rows="\n".join(rows),
    )


def _row(cells: Sequence[str], style: str = "") -> str:
    inside = "".join(f"<td>{escape(cell)}" for cell in cells)
    return f"<tr class={style}>{inside}</tr>" if style else f"<tr>{inside}</tr>"


def _items(lines: Sequence[str]) -> str:
    return "".join(f"<li>{escape(line)}" for line in lines)


def _clips_in_markdown(assessment: Assessment) -> str:
    """The clips shown, and the errors by kind."""
    lines: list[str] = []
    counts = Counter(fault for _, fault in _faults(assessment))
    if counts:
        lines += ["", "## Fluency errors", ""]
        lines += [f"- {fault}: {count:,}" for fault, count in counts.most_common()]
    ranked = assessment.ranking()
    for title, numbers in (ends(ranked) if ranked else {}).items():
        lines += ["", f"## {title}"]
        for number in numbers:
            prediction = assessment.pairs.predictions[number]
            reference = assessment.pairs.references[number]
            lines += ["", f"### {reference.id}", "", f"**{prediction.caption}**", ""]
            lines += [", ".join(_item_scores(assessment, number)), ""]
            lines += [f"- {text}" for text in reference.captions]
            others = [c for c in prediction.candidates if c.text != prediction.caption]
            lines += ["", *(f"- candidate, {c.score:.3f}: {c.text}" for c in others)]
    return "\n".join(lines) + "\n"
