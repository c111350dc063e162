"""`auricle data`: manifests of data sets, their checks and cards."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say
from auricle.cli.progress import Display
from auricle.cli.tables import print_table

if TYPE_CHECKING:
    from auricle.data.check import Report
    from auricle.data.reading import Reading

app = typer.Typer(help="Convert data sets to manifests, and check them.", no_args_is_help=True)

ManifestFile = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="The manifest to write (.jsonl).")
]
Manifests = Annotated[
    list[Path], typer.Argument(metavar="MANIFEST", help="All manifests of one data set.")
]


class ClothoSplit(StrEnum):
    development = "development"
    validation = "validation"
    evaluation = "evaluation"


@app.command()
def clotho(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Holds the 7z and CSV files.")],
    output: ManifestFile,
    split: Annotated[
        list[ClothoSplit] | None, typer.Option(help="Repeat for more.", show_default="all three")
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="First download missing files from Zenodo (7 GB).")
    ] = False,
) -> None:
    """Read Clotho v2.1.

    Its splits development, validation and evaluation become train, val and test. The recordings may
    be in the 7z archives, which are unpacked beside them (extra "data"), or in folders named after
    the splits. An interrupted download resumes.
    """
    with exit_codes():
        from auricle.data.clotho import SPLITS, download_clotho, read_clotho

        splits = [one.value for one in split] if split else list(SPLITS)
        with Display(in_bytes=True) as display:
            if download:
                download_clotho(folder, splits, display.progress)
            reading = read_clotho(folder, splits, display.progress)
        _write(reading, output)


@app.command()
def audiocaps(
    tables: Annotated[
        list[Path], typer.Argument(metavar="CSV", help="train.csv, val.csv, test.csv: v1 or 2.0.")
    ],
    audio: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Recordings named by YouTube id, at any depth.")
    ],
    output: ManifestFile,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", show_default="by each CSV's name")
    ] = None,
) -> None:
    """Read AudioCaps v1 or 2.0.

    Recordings may be named ID.wav, YID.wav, ID_30.flac, ID_30_40.m4a, ID_30000_40000.wav …; rows
    without a recording are counted, and listed in a file beside the manifest.
    """
    with exit_codes():
        from auricle.data.audiocaps import read_audiocaps

        with Display() as display:
            reading = read_audiocaps(tables, audio, split, display.progress)
        _write(reading, output)


@app.command()
def folder(
    output: ManifestFile,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Holds recordings.")
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV, TSV or JSON Lines: audio, caption or caption_1 … caption_5.",
            show_default="captions.csv, captions.jsonl … in FOLDER",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Split of rows that name none.")
    ] = "train",
    validation: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=0.9,
            help="Share of these rows' recordings to hold out as split val: 0.1 is a tenth.",
            show_default="none",
        ),
    ] = 0.0,
) -> None:
    """Read a data set of your own: recordings, and a table of captions."""
    with exit_codes():
        from auricle.data.sound_folder import read_folder

        _write(read_folder(folder, captions, split, validation), output)


@app.command()
def check(
    manifests: Manifests,
    drop: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a manifest without the faults, and FILE.dropped.jsonl."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all findings as JSON.")] = False,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, show_default="processors")
    ] = None,
    min_duration: Annotated[float, typer.Option(metavar="S", min=0, help="Seconds.")] = 1.0,
    max_duration: Annotated[float, typer.Option(metavar="S", min=0, help="Seconds.")] = 30.5,
    max_words: Annotated[int, typer.Option(metavar="N", min=1, help="Per caption.")] = 60,
) -> None:
    """Find faults, and leaks between splits.

    Looks for unreadable, silent, clipped, too short, too long and duplicate audio, for empty,
    duplicate and broken captions, and for the same recording in two splits.

    Exit status: 0, or 1 if there are leaks, unreadable audio or broken rows.
    """
    with exit_codes():
        from auricle.data.captions import CaptionLimits
        from auricle.data.check import Limits
        from auricle.data.check import check as check_manifests
        from auricle.data.dropping import clean

        if drop and any(drop.resolve() == path.resolve() for path in manifests):
            raise typer.BadParameter(f"{drop} is one of the manifests.", param_hint="'--drop'")
        limits = Limits(min_duration, max_duration, captions=CaptionLimits(max_words=max_words))
        with Display() as display:
            report = check_manifests(manifests, limits, workers, display.progress)
        if as_json:
            json.dump(
                {**asdict(report), "counts": report.counts},
                sys.stdout,
                ensure_ascii=False,
                indent=1,
            )
            sys.stdout.write("\n")
        else:
            _show(report)
        if drop:
            done = clean(manifests, report, drop)
            say(
                "note",
                f"{drop}: {done.kept} clips kept; {done.rows} clips and {done.captions} captions of"
                f" the others dropped, with reasons in {done.dropped}",
            )
    if report.fatal:
        raise typer.Exit(SOME_FAILED)


@app.command()
def card(
    manifests: Manifests,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help='Write card.md and plots (extra "data").'
        ),
    ] = None,
) -> None:
    """Show clips, hours, caption lengths, words, licences."""
    with exit_codes():
        from auricle.data.data_card import markdown, survey, tables

        with Display() as display:
            splits = survey(manifests, display.progress)
        for table in tables(splits):
            print_table(table.title, table.columns, table.rows)
        if output:
            from auricle.files import atomic_writer
            from auricle.report.data_plots import draw

            plots = draw(splits, output)
            with atomic_writer(output / "card.md") as file:
                file.write(markdown(splits, plots))
            say("note", f"wrote {output / 'card.md'} and {len(plots)} plots beside it")


def _write(reading: Reading, output: Path) -> None:
    """Write the manifest; count left-out rows on stderr, and list them in a file beside it."""
    from auricle.data.manifest import write_manifest
    from auricle.files import atomic_writer

    count = write_manifest(output, reading.clips)
    captions = sum(len(clip.captions) for clip in reading.clips)
    splits = Counter(clip.split for clip in reading.clips)
    parts = ", ".join(f"{name}: {number}" for name, number in splits.items())
    note = f"{output}: {count} clips with {captions} captions"
    say("note", f"{note} ({parts})" if len(splits) > 1 else note)
    listed = output.with_suffix(".left_out.jsonl")
    if not reading.left_out:
        listed.unlink(missing_ok=True)  # of an earlier run
        return
    with atomic_writer(listed) as file:
        for item in reading.left_out:
            file.write(json.dumps(asdict(item), ensure_ascii=False) + "\n")
    for reason, number in reading.reasons().most_common():
        say("note", f"left out, {reason}: {number}, listed in {listed}")


def _show(report: Report) -> None:
    from auricle.data.check import FATAL, KINDS

    rows = []
    for kind, fate in KINDS.items():
        if count := report.counts[kind]:
            first = next(item for item in report.findings if item.kind == kind)
            example = f"{first.manifest}:{first.line} {first.detail}".replace(
                f"{first.manifest}:{first.line}: ", "", kind == "broken row"
            )
            rows.append((f"{kind} !" if kind in FATAL else kind, f"{count:,}", fate, example))
    title = (
        f"{report.clips:,} clips, {report.captions:,} captions, {report.duration_s / 3600:.2f} h"
    )
    columns = ("finding", "number", "with --drop", "first")
    note = "! the check fails" if report.fatal else ""
    print_table(title, columns, rows or [("none", "0", "", "")], note)
