"""`auricle ledger DIR`: what was done with the recordings of a folder, and why some failed."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from auricle.cli.console import exit_codes
from auricle.errors import DataError
from auricle.ledger import NAME, Ledger, Row, State, Work
from auricle.printable import printable, printable_json
from auricle.writers import cell

COLUMNS = (
    *("command", "recording", "state", "caption", "reason", "duration_s", "sidecars"),
    *("model", "model_digest", "settings", "content", "size", "finished"),
)


class LedgerState(StrEnum):
    open = "open"
    done = "done"
    failed = "failed"


class LedgerFormat(StrEnum):
    text = "text"
    csv = "csv"
    jsonl = "jsonl"


def ledger(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="The folder of --output, or of the recordings; or a ledger's file."
        ),
    ],
    state: Annotated[
        LedgerState | None,
        typer.Option(
            help="Only these recordings; open: begun, but not finished.", show_default="all"
        ),
    ] = None,
    format: Annotated[
        LedgerFormat,
        typer.Option(help="text: counts, and failures with their reasons; csv and jsonl: all."),
    ] = LedgerFormat.text,
) -> None:
    """List what `auricle caption` or `auricle timeline` has done with --output DIR or --sidecar."""
    with exit_codes():
        file = path / NAME if path.is_dir() else path
        if not file.exists():
            raise DataError(
                f"{file}: no such ledger; `auricle caption` writes one with --output DIR/ and with"
                " --sidecar"
            )
        with Ledger(file) as opened:
            chosen: State | None = state.value if state else None
            rows = opened.rows(chosen)
            if format is LedgerFormat.jsonl:
                for record in map(_record, rows):
                    line = json.dumps(record, ensure_ascii=False)
                    sys.stdout.write(f"{printable_json(line)}\n")
            elif format is LedgerFormat.csv:
                _write_csv(map(_record, rows))
            else:
                _write_text(opened, chosen)
        sys.stdout.flush()


def _record(found: tuple[Row, Work | None]) -> dict[str, Any]:
    """A row with its work, as one level of plain values, named as `COLUMNS`."""
    row, work = found
    values = asdict(row) | {"sidecars": list(row.sidecars)}
    values["model"] = work.model if work else None
    values["model_digest"] = work.digest if work else None
    values["settings"] = json.loads(work.settings) if work else None
    return {name: values[name] for name in COLUMNS}


def _write_csv(records: Iterator[dict[str, Any]]) -> None:
    """A table as `auricle caption --format table`: for every spreadsheet, computing nothing."""
    sys.stdout.write("\ufeff")
    table = csv.writer(sys.stdout, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for record in records:
        record["sidecars"] = "\n".join(record["sidecars"])
        record["settings"] = json.dumps(record["settings"])
        table.writerow("" if one is None else cell(str(one)) for one in record.values())


def _write_text(opened: Ledger, state: State | None) -> None:
    """Counts, then a line per failure; with a ``state``, a line per recording."""
    if state is None:
        for (command, kind), count in sorted(opened.counts().items()):
            sys.stdout.write(f"{command}\t{kind}\t{count}\n")
    for row, _ in opened.rows(state or "failed"):
        told = row.reason if row.state == "failed" else row.caption
        sys.stdout.write(f"{printable(row.recording)}\t{printable(told)}\n")
