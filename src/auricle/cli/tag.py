"""`auricle tag PATH...`: captions into the tags of recordings, out again, or into a table."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say
from auricle.cli.loading import ModelChoices
from auricle.cli.options import (
    BatchSize,
    DecodingChoices,
    say_unused,
    spread,
)
from auricle.cli.output import opened
from auricle.cli.progress import Display
from auricle.errors import AuricleError
from auricle.printable import printable
from auricle.tags.changes import Field, Rules

if TYPE_CHECKING:
    from auricle.records import Caption
    from auricle.tags.journal import Journal
    from auricle.tags.write import Plan

EPILOG = (
    "Exit status: 0 all done; 1 some recording could not be tagged, captioned or restored, each"
    " named with the reason on stderr, and left as it was; 2 wrong use, such as records that cannot"
    " be read, before anything is written; 130 after Ctrl-C and 143 after SIGTERM, with every file"
    " whole."
)
OF_CAPTIONING = ["model", "seed", "device", "offline", "threads", "precision", "batch_size"]
OF_TAGGING = ["fields", "min_confidence", "root", "csv", "csv_style", "overwrite", "keep_times"]


class Style(StrEnum):
    soundminer = "soundminer"
    bwfmetaedit = "bwfmetaedit"


@dataclass(frozen=True)
class Told:
    """A recording with its captions, or with the reason why it has none."""

    name: str
    captions: Sequence[Caption] = ()
    error: AuricleError | None = None


@spread
def tag(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Records of `auricle caption` or `auricle timeline` (.jsonl, .json), or recordings"
            " to caption now: files, folders, patterns, @LIST.",
        ),
    ],
    *,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where relative paths in records begin.",
            show_default="the working directory, else the folder of the records",
        ),
    ] = None,
    fields: Annotated[
        list[Field] | None,
        typer.Option(
            "--field",
            help="The shared tags that get the caption; repeat for both. auricle's own are always"
            " written.",
            show_default="both",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace other text in these tags, and what --csv names."),
    ] = False,
    min_confidence: Annotated[
        float,
        typer.Option(metavar="P", min=0.0, max=1.0, help="Leave out captions with less."),
    ] = 0.0,
    keep_times: Annotated[
        bool, typer.Option("--keep-times", help="Files keep their time of modification.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, old -> new; write nothing.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Make each file, byte by byte, what it was before.")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keeps what --undo needs.",
            show_default="~/.local/state/auricle/tags.undo",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a table for a sound library instead; no recording changes."
        ),
    ] = None,
    csv_style: Annotated[
        Style, typer.Option(help="The program that imports the table.")
    ] = Style.soundminer,
    using: ModelChoices,
    batch_size: BatchSize = 8,
) -> None:
    """Write captions into the tags of the recordings that they describe.

    WAV, RF64 and BW64 get bext, LIST INFO and iXML; with the extra "tags", also FLAC, Ogg, MP3,
    M4A, MP4 and AIFF. The sound stays bit-identical, and text of other programs stays.
    """
    with exit_codes():
        from auricle.tags.journal import Journal, default_journal
        from auricle.tags.told import is_records

        _check(dry_run, undo, csv)
        if undo:
            say_unused(context, "--undo", [*OF_CAPTIONING, *OF_TAGGING[:-1], "keep_times"])
        elif all(map(is_records, paths)):
            say_unused(context, "a run on records", OF_CAPTIONING)
        if csv is None:
            say_unused(context, "a run without --csv", ["csv_style"])
        rules = Rules(frozenset(fields or Field), overwrite, keep_times)
        stdout = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):  # in case a library prints
            if undo:
                with Journal(journal or default_journal()) as steps:
                    failed = _undo(paths, root, steps, stdout)
            else:
                failed = 0
                captioner = _Captioner(using, batch_size)
                told = _told(paths, root, captioner)
                if csv:
                    with opened(csv, overwrite, stdout) as to:
                        failed = _tabulate(told, min_confidence, to, csv_style)
                else:
                    with Journal(journal or default_journal()) as steps:
                        failed = _tag(told, min_confidence, rules, steps, stdout, dry_run)
    if failed:
        raise typer.Exit(SOME_FAILED)


def _check(dry_run: bool, undo: bool, csv: Path | None) -> None:
    chosen = [n for n, on in (("--dry-run", dry_run), ("--undo", undo), ("--csv", csv)) if on]
    if len(chosen) > 1:
        raise typer.BadParameter(
            "they are different things to do; choose one.", param_hint=f"'{' '.join(chosen)}'"
        )


@dataclass(frozen=True)
class _Captioner:
    """A captioner that is loaded when the first recording needs it."""

    using: ModelChoices
    batch_size: int

    def __call__(self, paths: Sequence[str]) -> Iterator[Told]:
        """The captions of the recordings in ``paths``, as soon as each is ready."""
        from auricle.audio.find import find_audio_files
        from auricle.errors import AudioError

        inputs = []
        for one in find_audio_files(paths):
            if one.error or one.path:
                inputs.append(one)
                if one.error:
                    yield Told(one.name, error=one.error)
            else:
                error = AudioError(f"{one.name}: no file; tags are written into files alone")
                yield Told(one.name, error=error)
        heard = [one for one in inputs if not one.error]
        if not heard:
            return
        captioner = self.using.load()
        decoding = DecodingChoices().decoding(captioner, seed=self.using.seed)
        captions = captioner.stream(
            (one.source() for one in heard), decoding, batch_size=self.batch_size, allow_urls=False
        )
        for one, captioned in zip(heard, captions, strict=True):
            if note := captioned.heard.note:
                say("note", note)
            given = (captioned.caption,) if captioned.caption else ()
            yield Told(one.name, given, captioned.error)


def _told(paths: Sequence[str], root: Path | None, captioner: _Captioner) -> Iterator[Told]:
    """First what records tell, all of which are read before the first is given, then what the
    captioner says of recordings."""
    from auricle.tags.told import is_records, told

    records = told([Path(path) for path in paths if is_records(path)], root)
    recordings = [path for path in paths if not is_records(path)]
    found = (Told(str(path), captions) for path, captions in records.items())
    return _chained(found, captioner(recordings) if recordings else iter(()))


def _chained(*parts: Iterator[Told]) -> Iterator[Told]:
    for part in parts:
        yield from part


def _sure(captions: Sequence[Caption], min_confidence: float) -> list[Caption]:
    """Those that say something, and not with less confidence."""
    from auricle.decoding.confidence import NO_SOUND

    return [
        one
        for one in captions
        if one.caption.strip()
        and one.caption != NO_SOUND
        and (one.confidence is None or one.confidence >= min_confidence)
    ]


def _tag(
    told: Iterator[Told],
    min_confidence: float,
    rules: Rules,
    journal: Journal,
    to: TextIO,
    dry_run: bool,
) -> int:
    """Tag every recording, or say what would change; return the failures."""
    from auricle.tags.entry import entry
    from auricle.tags.write import plan, write

    counts: Counter[str] = Counter()
    with _each(told) as (recordings, display):
        for one in recordings:
            captions = _sure(one.captions, min_confidence)
            if one.error or not captions:
                counts[_without(one, display)] += 1
                continue
            try:
                planned = plan(Path(one.name), entry(captions), rules)
                for note in planned.notes:
                    display.note(note)
                status = "to tag" if planned.changed else "unchanged"
                if not dry_run:
                    status = write(planned, journal, rules)
            except (AuricleError, OSError) as error:
                counts["failed"] += 1
                display.error(_reason(one.name, error))
                continue
            counts[status] += 1
            with display.paused():
                lines = _differences(planned) if dry_run else []
                for line in lines or [status]:
                    to.write(f"{printable(one.name)}\t{line}\n")
                to.flush()
        display.note(_summary(counts))
    return counts["failed"]


def _tabulate(told: Iterator[Told], min_confidence: float, to: TextIO, style: Style) -> int:
    """Write a row for every recording with a caption; return the failures."""
    from auricle.tags.entry import entry
    from auricle.tags.table import Table

    counts: Counter[str] = Counter()
    table = Table(to, style.value)
    with _each(told) as (recordings, display):
        for one in recordings:
            captions = _sure(one.captions, min_confidence)
            if one.error or not captions:
                counts[_without(one, display)] += 1
                continue
            with display.paused():
                table.write(Path(one.name), entry(captions))
            counts["rows"] += 1
        display.note(_summary(counts))
    return counts["failed"]


def _undo(paths: Sequence[str], root: Path | None, journal: Journal, to: TextIO) -> int:
    """Restore every recording; return the failures."""
    from auricle.audio.find import find_audio_files
    from auricle.tags.told import is_records, told
    from auricle.tags.write import undo

    records = told([Path(path) for path in paths if is_records(path)], root)
    found = find_audio_files([path for path in paths if not is_records(path)])
    names = (Told(str(path)) for path in records)
    recordings = (Told(one.name, error=one.error) for one in found)
    counts: Counter[str] = Counter()
    with _each(_chained(names, recordings)) as (all_of_them, display):
        for one in all_of_them:
            try:
                if one.error:
                    raise one.error
                status = undo(Path(one.name), journal)
            except (AuricleError, OSError) as error:
                counts["failed"] += 1
                display.error(_reason(one.name, error))
                continue
            counts[status] += 1
            with display.paused():
                to.write(f"{printable(one.name)}\t{status}\n")
                to.flush()
        display.note(_summary(counts))
    return counts["failed"]


@contextlib.contextmanager
def _each(told: Iterator[Told]) -> Iterator[tuple[Iterator[Told], Display]]:
    """The recordings, and a display that counts them."""
    with Display() as display:

        def counted() -> Iterator[Told]:
            for done, one in enumerate(told, 1):
                yield one
                display.progress("recordings", done, 0)

        yield counted(), display


def _without(one: Told, display: Display) -> str:
    if not one.error:
        return "without a caption that is sure enough"
    display.error(_reason(one.name, one.error))
    return "failed"


def _differences(planned: Plan) -> list[str]:
    """A line per tag: its name, a tab, old -> new."""
    lines = []
    for change in planned.changes:
        old, new = printable(change.old), printable(change.new)
        lines.append(f"{change.slot}\t{old} -> {'(kept)' if change.kept else new}")
    return lines


def _reason(name: str, error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, AuricleError):
        return (
            f"{printable(name)}: cannot be written ({error.strerror or error}); it is left as it is"
        )
    return f"{printable(name)}: {str(error).removeprefix(f'{name}: ')}"


def _summary(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {status}" for status, number in counts.items()) or "no recordings"
