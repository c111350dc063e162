"""`auricle search "metal gate at night"`: sounds of an index, found by words or by likeness."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say, uncollected
from auricle.cli.index import IndexFolder
from auricle.cli.options import DeviceName, Offline, Threads, positive
from auricle.clock import clock
from auricle.printable import printable, printable_json
from auricle.writers import cell

if TYPE_CHECKING:
    from auricle.search.candidates import Result
    from auricle.search.evaluate import Retrieval
    from auricle.search.search import Library

EPILOG = (
    "Exit status: 0 found; 1 nothing found, or a sound that cannot be read or played; 2 wrong use,"
    " such as an empty query, no index, or an index by another model."
)
COLUMNS = ("path", "start", "end", "caption", "score", "confidence", "tags")
OTHERS = 3  # places of one recording that a line lists


class SearchFormat(StrEnum):
    text = "text"
    jsonl = "jsonl"
    csv = "csv"
    m3u = "m3u"


def search(
    query: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help='What is heard, in English; "rain without thunder" says what is not.',
            show_default=False,
        ),
    ] = None,
    *,
    like: Annotated[
        str | None, typer.Option(metavar="SOUND", help="A recording that results are like.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="TEXT", help="What is not heard; repeat for more."),
    ] = None,
    place: IndexFolder,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Results.")] = 10,
    min_duration: Annotated[
        float | None,
        typer.Option(
            metavar="S", callback=positive, help="Only sounds of so many seconds or more."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Only what is below this folder.")
    ] = None,
    format: Annotated[
        SearchFormat,
        typer.Option(help="csv: for spreadsheets; m3u: a list for a player, with times."),
    ] = SearchFormat.text,
    play: Annotated[bool, typer.Option("--play", help="Play the results, best first.")] = False,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            metavar="QUERIES.jsonl",
            help="Say how well the index is searched: rows of query and audio.",
        ),
    ] = None,
    device: DeviceName = "cpu",
    offline: Offline = False,
    threads: Threads = None,
) -> None:
    """Find sounds of an index by what is heard in them.

    `auricle index FOLDER` makes the index. Words are compared with captions, classes, file names
    and, through the model, with the sounds themselves.
    """
    with exit_codes():
        stdout, text = sys.stdout, " ".join(query or ())
        if evaluate and (text or like or exclude or play):
            raise typer.BadParameter(
                "it has queries of its own; leave out QUERY, --like, --not and --play.",
                param_hint="'--evaluate'",
            )
        with contextlib.redirect_stdout(sys.stderr):  # in case a library prints
            with uncollected():
                from auricle.search.search import Library
            with Library(place, device=device, on_note=lambda text: say("note", text)) as library:
                if evaluate:
                    _evaluate(library, evaluate, format, stdout)
                    return
                found = library.search(
                    text,
                    limit,
                    like=like,
                    exclude=exclude or (),
                    min_duration_s=min_duration,
                    folder=folder,
                )
        WRITERS[format](found, stdout)
        stdout.flush()
        if not found:
            say("note", "nothing found")
            raise typer.Exit(SOME_FAILED)
        if play:
            _play(found)


def _play(found: Sequence[Result]) -> None:
    from auricle.audio.speaker import play
    from auricle.errors import AudioError

    failed = 0
    for one in found:
        say("playing", f"{one.audio}, {_times(one)}: {one.caption}")
        try:
            play(one.audio, one.start_s, one.end_s)
        except AudioError as error:
            failed += 1
            say("error", str(error))
    if failed:
        raise typer.Exit(SOME_FAILED)


def _write_text(found: Sequence[Result], to: TextIO) -> None:
    """A line for each: score, times, path, caption, and other places of the recording."""
    rows = [(f"{one.score:.2f}", _times(one), printable(one.audio)) for one in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for one, row in zip(found, rows, strict=True):
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        to.write(f"{line}  {printable(one.caption)}{_others(one)}\n")


def _others(one: Result) -> str:
    if not one.others:
        return ""
    places = [clock(start_s) for start_s, _ in one.others[:OTHERS]]
    more = " …" if len(one.others) > OTHERS else ""
    return f" (also at {', '.join(places)}{more})"


def _times(one: Result) -> str:
    return f"{clock(one.start_s, 1)}–{clock(one.end_s, 1)}"


def _write_jsonl(found: Sequence[Result], to: TextIO) -> None:
    for one in found:
        to.write(f"{printable_json(json.dumps(asdict(one), ensure_ascii=False))}\n")


def _write_csv(found: Sequence[Result], to: TextIO) -> None:
    """A table as `auricle caption --format table`: for every spreadsheet, computing nothing."""
    to.write("\ufeff")
    rows = csv.writer(to, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for one in found:
        confidence = "" if one.confidence is None else f"{one.confidence:.3f}"
        told = (cell(one.audio), one.start_s, one.end_s, cell(one.caption), f"{one.score:.4f}")
        rows.writerow((*told, confidence, cell(", ".join(one.tags))))


def _write_m3u(found: Sequence[Result], to: TextIO) -> None:
    """A list in the extended format, whose times VLC knows."""
    to.write("#EXTM3U\n")
    for one in found:
        to.write(f"#EXTINF:{round(one.end_s - one.start_s)},{printable(one.caption)}\n")
        if (one.start_s, one.end_s) != (0.0, one.duration_s):
            to.write(f"#EXTVLCOPT:start-time={one.start_s:g}\n")
            to.write(f"#EXTVLCOPT:stop-time={one.end_s:g}\n")
        to.write(f"{printable(one.audio)}\n")


WRITERS: dict[SearchFormat, Callable[[Sequence[Result], TextIO], None]] = {
    SearchFormat.text: _write_text,
    SearchFormat.jsonl: _write_jsonl,
    SearchFormat.csv: _write_csv,
    SearchFormat.m3u: _write_m3u,
}


def _evaluate(library: Library, queries: Path, format: SearchFormat, to: TextIO) -> None:
    """A row for each way of searching; as JSON Lines, an object."""
    from auricle.cli.progress import Display
    from auricle.metrics.bootstrap import ROUGH_BELOW
    from auricle.search.evaluate import evaluate, read_queries

    if format not in (SearchFormat.text, SearchFormat.jsonl):
        raise typer.BadParameter("an evaluation is text or jsonl.", param_hint="'--format'")
    asked = list(read_queries(queries, library))
    with Display() as display:
        found = evaluate(library, asked, display.progress)
    if format is SearchFormat.jsonl:
        to.writelines(f"{json.dumps(_plain(one))}\n" for one in found)
    else:
        from auricle.cli.tables import print_table

        rows = [(one.way, *map(_span, _figures(one).values())) for one in found]
        print_table(
            f"{len(asked):,} queries, 95 % intervals",
            ("way", *_figures(found[0])),
            rows,
            stream=to,
            compact=True,
        )
    to.flush()
    if len(asked) < ROUGH_BELOW:
        say("note", f"fewer than {ROUGH_BELOW} queries: the intervals are rough")


def _figures(one: Retrieval) -> dict[str, Any]:
    found = {f"R@{k}": interval for k, interval in one.recall.items()}
    return found | {"mAP@10": one.mean_average_precision}


def _plain(one: Retrieval) -> dict[str, Any]:
    figures = {name: interval._asdict() for name, interval in _figures(one).items()}
    return {"way": one.way, **figures, "first_ranks": list(one.firsts)}


def _span(interval: Any) -> str:
    return f"{interval.value:.3f} ({interval.low:.2f}–{interval.high:.2f})"
