"""`auricle compare A B --references DATA`: differences of two systems, overall and by clip."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say
from auricle.cli.evaluate import assess, paired, split_names
from auricle.cli.options import (
    DeviceName,
    DropBlank,
    Metrics,
    Offline,
    Partial,
    ReferenceData,
    ReferenceSplit,
    ScoreFormat,
    Threads,
)
from auricle.printable import printable, printable_json

if TYPE_CHECKING:
    from auricle.evaluation.compare import Comparison

EPILOG = (
    "Exit status: 0 every clip compared; 1 some left out by --partial or --drop-blank, each named;"
    " 2 files that do not fit or cannot be read, each row named, or wrong use."
)


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A DCASE CSV or JSON Lines.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another of the same clips.")],
    references: ReferenceData,
    metrics: Metrics = None,
    format: Annotated[
        ScoreFormat, typer.Option(help="Format of the comparison on stdout.")
    ] = ScoreFormat.table,
    show: Annotated[
        int, typer.Option(metavar="N", min=0, help="Show the N clips that differ most.")
    ] = 5,
    partial: Partial = False,
    drop_blank: DropBlank = False,
    split: ReferenceSplit = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the bootstrap.")] = 0,
    device: DeviceName = "auto",
    offline: Offline = False,
    threads: Threads = None,
) -> None:
    """Compare two systems' captions of the same clips by the paired bootstrap.

    For each metric: the difference, its 95 % interval, the p-value of no difference (two-sided, of
    this metric alone), and the numbers of clips on which A is better, the same, or worse.
    """
    with exit_codes():
        stdout = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):  # in case a library prints
            from auricle.evaluation.compare import compare as contrast
            from auricle.evaluation.pairing import shared
            from auricle.evaluation.references import read_references
            from auricle.metrics.registry import chosen

            names = split_names(metrics)
            chosen(names)
            data = read_references(references, split=split)
            first_pairs, second_pairs = (
                paired(path, data, partial, drop_blank) for path in (first, second)
            )
            both = shared(first_pairs, second_pairs)
            a, b = (
                assess(str(path), pairs, data, names, device, seed)
                for path, pairs in zip((first, second), both, strict=True)
            )
            found = contrast(a, b, seed)
        _show(found, format, show, stdout)
    if any(pairs.faults.found for pairs in both):
        raise typer.Exit(SOME_FAILED)


def _show(found: Comparison, format: ScoreFormat, show: int, stdout: TextIO) -> None:
    from auricle.evaluation.compare import COLUMNS, LEGEND, as_json, contrast_rows, divergence_lines

    a, b = found.first, found.second
    title = f"A = {a.system}, B = {b.system}: {len(a.pairs.references):,} clips"
    rows, lines = contrast_rows(found), divergence_lines(found, show)
    if format is ScoreFormat.json:
        text = json.dumps(as_json(found), ensure_ascii=False, indent=1)
        stdout.write(printable_json(text) + "\n")
        return
    if format is ScoreFormat.markdown:
        from auricle.markdown import escape, table

        stdout.write(f"# {escape(title)}\n\n{table(COLUMNS, rows)}")
        stdout.write("".join(f"\n{escape(line)}\n" for line in (LEGEND, *found.notes, *lines)))
    else:
        from auricle.cli.tables import print_table

        stdout.write(printable(title) + "\n")
        print_table("", COLUMNS, rows)
        stdout.write("".join(f"{printable(line)}\n" for line in (LEGEND, *found.notes, *lines)))
    for absent in a.evaluation.missing:
        say("note", f"{absent.name} is missing: {absent.reason}; {absent.command}")
