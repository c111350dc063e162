"""The evaluation report in a folder: a page to read and listen to, JSON, Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from string import Template

from auricle.errors import AudioError, DataError
from auricle.evaluation.assessment import Assessment, as_json
from auricle.evaluation.table import COLUMNS, figure, heading, markdown, remarks, score_rows
from auricle.files import atomic_writer
from auricle.markdown import escape as markdown_of
from auricle.metrics.scores import Score
from auricle.records import Candidate
from auricle.report.page import html_page
from auricle.report.player import clip_player, duration_s
from auricle.report.plots import against, distributions, require_matplotlib
from auricle.watch import Progress, silent

SHOWN = 10  # clips at either end
DRAWN = ("SPIDEr-FL", "SPICE", "CIDEr-D", "METEOR", "ROUGE-L", "FENSE")
FILES = ("report.html", "report.json", "report.md")

BODY = Template("""<section>$scores
$remarks</section>
$plots
$errors
$clips
<section><details><summary>All $count clips</summary>
$all</details></section>""")

CLIP = Template("""<section>
<h2>$caption</h2>
<p class=facts>$facts</p>
$player
<p class=label>People said</p>
$references
$candidates
</section>""")


def prepare(folder: Path) -> None:
    """Check, before hours of work, that a report can be written.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        DataError: the folder cannot be created.
    """
    require_matplotlib()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: no folder for a report ({error.strerror})") from error


def write_report(assessment: Assessment, folder: Path, progress: Progress = silent) -> list[Path]:
    """Write `FILES` into ``folder``; return their paths. ``progress`` gets the shown clips.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        DataError: the folder cannot be created.
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


def ends(ranked: Score | None, shown: int = SHOWN) -> dict[str, list[int]]:
    """Numbers of the clips to show: the best and the worst; if there are few, all by rank."""
    if ranked is None:
        return {}
    order = sorted(range(len(ranked.items)), key=lambda n: -ranked.items[n])
    if len(order) <= 2 * shown:
        return {f"All clips by {ranked.name}": order}
    return {
        f"Best by {ranked.name}": order[:shown],
        f"Worst by {ranked.name}": order[::-1][:shown],
    }


def page(assessment: Assessment, progress: Progress = silent) -> str:
    """The whole report as HTML."""
    pairs, ranked = assessment.pairs, assessment.ranking()
    parts = ends(ranked)
    total, done = sum(map(len, parts.values())), 0
    cards = []
    for title, numbers in parts.items():
        cards.append(f"<p class=part>{escape(title)}</p>")
        for number in numbers:
            cards.append(_card(assessment, number))
            progress("report", done := done + 1, total)
    listed = sorted(range(len(pairs.references)), key=lambda n: -ranked.items[n] if ranked else n)
    body = BODY.substitute(
        scores=_table(COLUMNS, map(_row, score_rows(assessment.evaluation))),
        remarks="".join(
            f"<p class=label>{title}</p>{_list(lines)}"
            for title, lines in remarks(assessment).items()
        ),
        plots=_plots(assessment, ranked),
        errors=_errors(assessment),
        clips="\n".join(cards),
        count=f"{len(listed):,}",
        all=_table(
            ("caption", "clip", ranked.name if ranked else ""),
            (
                _row(
                    (
                        pairs.predictions[n].caption,
                        pairs.references[n].id,
                        figure(ranked.items[n]) if ranked else "",
                    )
                )
                for n in listed
            ),
        ),
    )
    return html_page(f"Captions of {Path(assessment.system).name}", heading(assessment), body)


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
        "<p class=facts>Dots are clips; the others are means of clips of similar length, with 95 % "
        "intervals.</p></section>"
    )


def _panels(drawings: Sequence[str]) -> str:
    return f"<div class=panels>{''.join(drawings)}</div>"


def _errors(assessment: Assessment) -> str:
    """The fluency detector's errors by kind, and the captions with errors."""
    found = _faults(assessment)
    if not found:
        return ""
    captions = assessment.pairs.captions
    shown = [f"{captions[number]} ({fault})" for number, fault in found[: 2 * SHOWN]]
    more = [f"… and {len(found) - len(shown):,} more"] if len(found) > len(shown) else []
    counts = Counter(fault for _, fault in found).most_common()
    rows = "\n".join(_row((fault, f"{count:,}")) for fault, count in counts)
    return f"<section><h2>Fluency errors</h2>{_scrolling(rows)}{_list([*shown, *more])}</section>"


def _faults(assessment: Assessment) -> list[tuple[int, str]]:
    found = ((n, assessment.fault(n)) for n in range(len(assessment.pairs.references)))
    return [(number, fault) for number, fault in found if fault]


def _card(assessment: Assessment, number: int) -> str:
    prediction = assessment.pairs.predictions[number]
    reference = assessment.pairs.references[number]
    facts = escape(" · ".join([reference.id, *_item_scores(assessment, number)]))
    if fault := assessment.fault(number):
        facts += f" · <span class=bad>{escape(fault)}</span>"
    try:
        sound = clip_player(reference.audio, reference.id) if reference.audio else ""
    except AudioError as error:
        sound = f"<p class=facts>{escape(str(error))}</p>"
    return CLIP.substitute(
        caption=escape(prediction.caption),
        facts=facts,
        player=sound,
        references=_list(reference.captions),
        candidates=_candidates(prediction.candidates, prediction.caption),
    )


def _item_scores(assessment: Assessment, number: int) -> Iterator[str]:
    for score in _drawn(assessment):
        yield f"{score.name} {figure(score.items[number])}"


def _drawn(assessment: Assessment) -> list[Score]:
    """The scores of `DRAWN`, under any label."""
    scores = assessment.evaluation.scores
    return [s for s in scores if s.items and s.name.partition(" (")[0] in DRAWN]


def _candidates(candidates: Sequence[Candidate], caption: str) -> str:
    """A table of the candidates, with the scores that they have."""
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
    table = _table(("candidate", *known.values(), ""), rows)
    return f"<details><summary>{len(candidates)} candidates</summary>\n{table}</details>"


def _table(columns: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in columns)
    lines = "\n".join([f"<tr>{head}</tr>", *rows])
    return _scrolling(lines)


def _scrolling(rows: str) -> str:
    return f"<div class=wide><table class=figures>{rows}\n</table></div>"


def _row(cells: Sequence[str], style: str = "") -> str:
    inside = "".join(f"<td>{escape(cell)}" for cell in cells)
    return f"<tr class={style}>{inside}</tr>" if style else f"<tr>{inside}</tr>"


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}' for line in lines)}</ul>"


def _clips_in_markdown(assessment: Assessment) -> str:
    """The errors by kind, and the clips shown."""
    lines: list[str] = []
    counts = Counter(fault for _, fault in _faults(assessment))
    if counts:
        lines += ["", "## Fluency errors", ""]
        lines += [f"- {fault}: {count:,}" for fault, count in counts.most_common()]
    for title, numbers in ends(assessment.ranking()).items():
        lines += ["", f"## {markdown_of(title)}"]
        for number in numbers:
            prediction = assessment.pairs.predictions[number]
            reference = assessment.pairs.references[number]
            lines += ["", f"### {markdown_of(reference.id)}", ""]
            lines += [f"**{markdown_of(prediction.caption)}**", ""]
            lines += [markdown_of(", ".join(_item_scores(assessment, number))), ""]
            lines += [f"- {markdown_of(text)}" for text in reference.captions]
            others = [c for c in prediction.candidates if c.text != prediction.caption]
            told = (f"candidate, {c.score:.3f}: {c.text}" for c in others)
            lines += ["", *(f"- {markdown_of(text)}" for text in told)]
    return "\n".join(lines) + "\n"
