"""Scores as text: rows of a table, Markdown, remarks for the reader."""

from __future__ import annotations

from collections.abc import Sequence

from auricle.evaluation.assessment import Assessment
from auricle.markdown import escape, table
from auricle.metrics.evaluation import Evaluation
from auricle.metrics.scores import Missing

COLUMNS = ("metric", "value", "95 % interval")


def score_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """(metric, value, 95 % interval) as text; "-" for no interval."""
    rows = []
    for score in evaluation.scores:
        interval = evaluation.intervals.get(score.name)
        span = f"{figure(interval.low)} to {figure(interval.high)}" if interval else "-"
        rows.append((score.name, figure(score.corpus), span))
    return rows


def figure(value: float) -> str:
    """Three decimals; none for whole numbers from 2 on, such as counts of words."""
    return f"{value:,.0f}" if value >= 2 and value.is_integer() else f"{value:.3f}"


def missing_lines(missing: Sequence[Missing]) -> list[str]:
    """ "SPICE, SPIDEr: reason (command)": one line for metrics with the same reason."""
    by_cause: dict[tuple[str, str], list[str]] = {}
    for absent in missing:
        by_cause.setdefault((absent.reason, absent.command), []).append(absent.name)
    return [
        f"{', '.join(names)}: {reason}; {command}" for (reason, command), names in by_cause.items()
    ]


def heading(assessment: Assessment) -> str:
    """ "a.csv against clotho.csv: 1,040 of 1,045 clips"."""
    scored, of = len(assessment.pairs.predictions), assessment.pairs.of
    part = f"{scored:,} of {of:,}" if scored != of else f"{scored:,}"
    clips = "clip" if of == 1 else "clips"
    return f"{assessment.system} against {assessment.references}: {part} {clips}"


def markdown(assessment: Assessment) -> str:
    """The table, with missing metrics and left-out rows."""
    text = f"# {escape(heading(assessment))}\n\n"
    text += table(COLUMNS, score_rows(assessment.evaluation))
    for title, entries in remarks(assessment).items():
        text += f"\n{title}:\n\n" + "".join(f"- {escape(entry)}\n" for entry in entries)
    return text


def remarks(assessment: Assessment) -> dict[str, list[str]]:
    """Remarks for a reader of the scores, by title."""
    pairs = assessment.pairs
    found = {
        "Missing, and what brings it": missing_lines(assessment.evaluation.missing),
        "Left out": pairs.faults.lines(),
        "Notes": assessment.notes,
    }
    return {title: entries for title, entries in found.items() if entries}
