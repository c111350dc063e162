"""`auricle caption --explain`: a recording's candidates, their terms, why each was not chosen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from auricle.records import Candidate, Caption

COLUMNS = {  # a candidate's field -> its heading, short for terminals of 80 columns
    "score": "score",
    "log_likelihood": "LL",
    "summed_log_likelihood": "sum",
    "similarity": "sim.",
    "fluency": "flu.",
    "agreement": "agr.",
}
LEGEND = (
    "LL: mean log-likelihood per token; sum: of the whole caption; sim.: cosine with the sound; "
    "flu.: probability of no error; agr.: mean cosine with the other draws; n: times drawn"
)


def print_candidates(caption: Caption, stream: TextIO | None = None) -> None:
    """Print a table of one recording's candidates, best first, with the chosen one marked; by
    default on stdout."""
    from auricle.cli.tables import print_table
    from auricle.printable import printable

    stream = stream or sys.stdout
    title = f"{caption.audio}: {caption.caption}"
    if caption.confidence is not None:
        title += f" (confidence {caption.confidence:.2f})"
    if not caption.candidates:
        print(printable(title), "", sep="\n", file=stream)
        return
    known = [
        field
        for field in COLUMNS
        if any(getattr(candidate, field) is not None for candidate in caption.candidates)
    ]
    rows = [
        (
            str(rank),
            *(_figure(candidate, field) for field in known),
            str(candidate.count),
            _told(candidate),
        )
        for rank, candidate in enumerate(caption.candidates, 1)
    ]
    columns = (
        "#",
        *(COLUMNS[field] for field in known),
        "n",
        "candidate, and why it is not chosen",
    )
    print_table(title, columns, rows, LEGEND, stream, compact=True)


def _told(candidate: Candidate) -> str:
    found_by = f" [{candidate.model}]" if candidate.model else ""
    return f"{candidate.text}{found_by}\n→ {candidate.reason or 'chosen'}"


def _figure(candidate: Candidate, field: str) -> str:
    value = getattr(candidate, field)
    if value is None:
        return "-"
    return f"{value:.1f}" if field == "summed_log_likelihood" else f"{value:.2f}"
