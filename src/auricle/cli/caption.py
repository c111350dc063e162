"""`auricle caption PATH...`: captions on stdout or in a file, everything else on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say
from auricle.cli.folders import FolderChoices, write_sidecars
from auricle.cli.inputs import failure, found_inputs
from auricle.cli.loading import ModelChoices
from auricle.cli.options import (
    BatchSize,
    DecodingChoices,
    say_unused,
    spread,
)
from auricle.cli.output import opened
from auricle.cli.progress import Display
from auricle.errors import AudioError
from auricle.files import listed
from auricle.jobs import Job, Task
from auricle.printable import printable
from auricle.sidecars import Outcome
from auricle.watch import Progress
from auricle.writers import SUFFIXES, WRITERS, document

if TYPE_CHECKING:
    from auricle.audio.find import Input
    from auricle.pipeline import Captioned, Captioner
    from auricle.settings import Decoding

EPILOG = (
    "Exit status: 0 all captioned; 1 some recording or folder gave no caption, each named with the"
    " reason on stderr; 2 wrong use, such as an unknown option or model; 130 after Ctrl-C and 143"
    " after SIGTERM, with all finished captions written and the file complete. In a table, the"
    " status is ok, partial (only a part of the recording was heard) or failed, and a cell that a"
    " spreadsheet would compute begins with '."
)


class CaptionFormat(StrEnum):
    text = "text"
    jsonl = "jsonl"
    json = "json"
    table = "table"
    csv = "csv"


@spread
def caption(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help='Recordings, folders of them, "patterns/**/*.wav", @LIST (a file with a path per'
            " line), or - for standard input.",
        ),
    ],
    *,
    choices: DecodingChoices,
    using: ModelChoices,
    format: Annotated[
        CaptionFormat | None,
        typer.Option(
            help="text: path, tab, caption; table: CSV for spreadsheets, with failures; csv: DCASE"
            " submission.",
            show_default="text; for sidecars jsonl",
        ),
    ] = None,
    places: FolderChoices,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="A table of all candidates and why each was not chosen."),
    ] = False,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Show captions word by word: greedy, or one sample."),
    ] = False,
    min_confidence: Annotated[
        float,
        typer.Option(
            metavar="P",
            min=0.0,
            max=1.0,
            help="A caption with less confidence becomes `no recognisable sound`.",
        ),
    ] = 0.0,
    max_duration: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            min=0.1,
            help="Hear only the start of longer recordings.",
            show_default="all is heard",
        ),
    ] = None,
    allow_urls: Annotated[
        bool, typer.Option("--allow-urls", help="Download recordings given as http(s) addresses.")
    ] = False,
    batch_size: BatchSize = 8,
) -> None:
    """Describe the sounds of each recording in one sentence.

    Reads wav, flac, ogg and mp3, and with the extra "av" every format of FFmpeg; searches folders
    for audio files at any depth. See `auricle timeline` for what is heard when.
    """
    with exit_codes():
        from auricle.decoding.options import unused

        inputs = found_inputs(paths)
        places.check()
        format = format or (CaptionFormat.jsonl if places.per_recording else CaptionFormat.text)
        if stream:
            _check_stream(format, explain, min_confidence)
        _check_output(inputs, places, format, explain)
        if format is CaptionFormat.csv and not places.per_recording:
            _warn_of_shared_names(inputs)
        if not (places.output or places.sidecar):
            say_unused(context, "a run without --output", ["overwrite"])
        stdout = sys.stdout

        def start() -> tuple[Captioner, Decoding]:
            captioner = using.load()
            decoding = choices.decoding(
                captioner,
                seed=using.seed,
                every_term=explain,
                min_confidence=min_confidence,
                default="greedy" if stream else None,
            )
            method = decoding.options.method
            reader = f"{method} decoding{' with --stream' * stream}"
            say_unused(context, reader, unused(method, stream))
            return captioner, decoding

        with contextlib.redirect_stdout(sys.stderr):  # in case a library prints
            if places.per_recording:
                settings = {
                    "seed": using.seed,
                    "min_confidence": min_confidence,
                    "precision": using.precision,
                }
                settings |= {"max_duration": max_duration}
                job = Job(
                    "caption",
                    using.model,
                    settings | asdict(choices),
                    {SUFFIXES[format]: partial(_document, format)},
                    lambda: partial(_outcomes, *start(), batch_size, max_duration),
                )
                failed = write_sidecars(inputs, places, job, stdout)
            else:
                failures_too = format is CaptionFormat.table
                with opened(places.file, places.overwrite, stdout, failures_too) as to:
                    tables = stdout if explain else None
                    if all(one.error for one in inputs):
                        failed = _write(inputs, _none, format, to, tables)
                    elif stream:
                        failed = _speak(*start(), inputs, to, allow_urls, max_duration)
                    else:
                        captioner, decoding = start()
                        captions = partial(
                            captioner.stream,
                            (one.source() for one in inputs if not one.error),
                            decoding,
                            batch_size=batch_size,
                            max_duration_s=max_duration,
                            allow_urls=allow_urls,
                        )
                        failed = _write(inputs, captions, format, to, tables)
    if failed:
        raise typer.Exit(SOME_FAILED)


def _outcomes(
    captioner: Captioner,
    decoding: Decoding,
    batch_size: int,
    max_duration_s: float | None,
    tasks: Iterator[Task],
) -> Iterator[Outcome]:
    """The caption of each recording that gets a sidecar."""
    captions = captioner.stream(
        tasks,
        decoding,
        audio=Task.source,
        batch_size=batch_size,
        max_duration_s=max_duration_s,
    )
    for found in captions:
        note, recording = found.heard.note, found.heard.recording
        yield Outcome(
            [found.caption] if found.caption else [],
            found.error,
            note,
            partial=bool(note),
            duration_s=round(recording.duration_s, 3) if recording else None,
        )


def _document(format: CaptionFormat, outcome: Outcome) -> str:
    return document(WRITERS[format], outcome.captions, outcome.partial)


def _check_stream(format: CaptionFormat, explain: bool, min_confidence: float) -> None:
    """Refuse options that need a finished caption, as a sidecar does."""
    if explain or format is not CaptionFormat.text:
        raise typer.BadParameter(
            "a streamed caption is plain text, and no sidecar; leave out --explain and --format.",
            param_hint="'--stream'",
        )
    if min_confidence:
        raise typer.BadParameter(
            "an unfinished caption has no confidence; leave out --stream.",
            param_hint="'--min-confidence'",
        )


def _check_output(
    inputs: Sequence[Input], places: FolderChoices, format: CaptionFormat, explain: bool
) -> None:
    """Refuse outputs that would overwrite a recording, or mix two kinds of lines."""
    output = places.file
    if output and any(one.path and _same(output, one.path) for one in inputs):
        raise typer.BadParameter(f"{output} is one of the recordings.", param_hint="'--output'")
    if explain and places.per_recording:
        raise typer.BadParameter(
            "the tables would be apart from the sidecars; --format jsonl has every candidate.",
            param_hint="'--explain'",
        )
    if explain and format is not CaptionFormat.text and not output:
        raise typer.BadParameter(
            "the tables would be between the records; write the records to a file with --output.",
            param_hint="'--explain'",
        )


def _warn_of_shared_names(inputs: Sequence[Input]) -> None:
    """DCASE's rows know a recording by its file name alone."""
    names = Counter(PurePath(one.name).name for one in inputs if not one.error)
    shared = [f"{name} ({count} times)" for name, count in names.items() if count > 1]
    if shared:
        say(
            "warning",
            f"the rows of csv have file names without folders, and these are not unique:"
            f" {listed(shared, most=3, letters=200)}; --format table and jsonl have whole paths",
        )


def _write(
    inputs: Sequence[Input],
    stream: Callable[..., Iterator[Captioned[Any]]],
    format: CaptionFormat,
    to: TextIO,
    tables: TextIO | None,
) -> int:
    """Write a record per recording, and its candidates to ``tables``; return the failures.

    ``stream``: gives the captions of the inputs without an error, in their order, and reports
    ``progress`` within long ones.
    """
    from auricle.cli.explain import print_candidates

    failed = 0
    with WRITERS[format](to) as writer, Display() as display:
        captions = stream(progress=display.progress)
        for done, one in enumerate(inputs, 1):
            if one.error:  # it has been said
                failed += 1
                writer.fail(one.name, one.reason(one.error))
                continue
            captioned = _next(captions, one)
            if note := captioned.heard.note:
                display.note(note)
            if captioned.caption:
                with display.paused():
                    writer.write(captioned.caption, partial=bool(note))
                    if tables:
                        print_candidates(captioned.caption, tables)
            else:
                failed += 1
                display.error(failure(one, captioned.error))
                writer.fail(one.name, one.reason(captioned.error))
            display.progress("recordings", done, len(inputs))
    return failed


def _none(progress: Progress) -> Iterator[Captioned[Any]]:
    return iter(())


def _next(captions: Iterator[Captioned[Any]], one: Input) -> Captioned[Any]:
    try:
        return next(captions)
    except (MemoryError, RuntimeError) as error:
        error.add_note(f"at {printable(one.name)} or a recording soon after it")
        raise


def _speak(
    captioner: Captioner,
    decoding: Decoding,
    inputs: Sequence[Input],
    to: TextIO,
    allow_urls: bool,
    max_duration_s: float | None,
) -> int:
    """Write every caption word by word; return the failures."""
    failed = 0
    for one in inputs:
        if one.error:
            failed += 1
            continue
        pieces = captioner.speak(
            one.source(),
            decoding,
            on_note=lambda text: say("note", text),
            max_duration_s=max_duration_s,
            allow_urls=allow_urls,
        )
        try:
            for number, piece in enumerate(pieces):
                to.write(
                    printable(piece) if number else f"{printable(one.name)}\t{printable(piece)}"
                )
                to.flush()
        except AudioError as error:
            failed += 1
            say("error", failure(one, error))
        else:
            to.write("\n")
    return failed


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
