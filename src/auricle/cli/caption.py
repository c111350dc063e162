"""`auricle caption PATH...`: captions on stdout or in a file, everything else on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say, uncollected
from auricle.cli.options import (
    BatchSize,
    DecodingChoices,
    DeviceName,
    ModelName,
    Offline,
    Precision,
    PrecisionName,
    Seed,
    Threads,
    say_unused,
    spread,
)
from auricle.cli.output import opened
from auricle.cli.progress import Display
from auricle.errors import AudioError
from auricle.files import listed
from auricle.printable import printable

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
    choices: DecodingChoices,
    model: ModelName = "tiny",
    seed: Seed = 0,
    format: Annotated[
        CaptionFormat,
        typer.Option(
            help="text: path, tab, caption; table: CSV for spreadsheets, with failures; csv: DCASE"
            " submission."
        ),
    ] = CaptionFormat.text,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write captions to this file, each when it is finished.",
            show_default="stdout",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="The first caption replaces what FILE held.")
    ] = False,
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
    allow_urls: Annotated[
        bool, typer.Option("--allow-urls", help="Download recordings given as http(s) addresses.")
    ] = False,
    device: DeviceName = "auto",
    offline: Offline = False,
    threads: Threads = None,
    precision: PrecisionName = Precision.float32,
    batch_size: BatchSize = 8,
) -> None:
    """Describe the sounds of each recording in one sentence.

    Reads wav, flac, ogg and mp3, and with the extra "av" every format of FFmpeg; searches folders
    for audio files at any depth. Of a long recording, the start is captioned.
    """
    with exit_codes():
        from auricle.audio.find import find_audio_files
        from auricle.decoding.options import unused

        inputs = find_audio_files(paths)
        for one in inputs:
            if one.error:
                say("error", _failure(one, one.error))
        if stream:
            _check_stream(format, explain, min_confidence)
        _check_output(inputs, output, format, explain)
        if output is None:
            say_unused(context, "a run without --output", ["overwrite"])
        if format is CaptionFormat.csv:
            _warn_of_shared_names(inputs)
        stdout = sys.stdout
        failures_too = format is CaptionFormat.table
        with (
            contextlib.redirect_stdout(sys.stderr),  # in case a library prints
            opened(output, overwrite, stdout, failures_too) as to,
        ):
            tables = stdout if explain else None
            if all(one.error for one in inputs):
                failed = _write(inputs, iter(()), format, to, tables)
            else:
                captioner = _load(model, device, precision)
                decoding = choices.decoding(
                    captioner,
                    seed=seed,
                    every_term=explain,
                    min_confidence=min_confidence,
                    default="greedy" if stream else None,
                )
                method = decoding.options.method
                reader = f"{method} decoding{' with --stream' * stream}"
                say_unused(context, reader, unused(method, stream))
                if stream:
                    failed = _speak(captioner, inputs, decoding, to, allow_urls)
                else:
                    sources = (one.source() for one in inputs if not one.error)
                    captions = captioner.stream(
                        sources, decoding, batch_size=batch_size, allow_urls=allow_urls
                    )
                    failed = _write(inputs, captions, format, to, tables)
    if failed:
        raise typer.Exit(SOME_FAILED)


def _check_stream(format: CaptionFormat, explain: bool, min_confidence: float) -> None:
    """Refuse options that need a finished caption."""
    if explain or format is not CaptionFormat.text:
        raise typer.BadParameter(
            "a streamed caption is plain text; leave out --explain and --format.",
            param_hint="'--stream'",
        )
    if min_confidence:
        raise typer.BadParameter(
            "an unfinished caption has no confidence; leave out --stream.",
            param_hint="'--min-confidence'",
        )


def _check_output(
    inputs: Sequence[Input], output: Path | None, format: CaptionFormat, explain: bool
) -> None:
    """Refuse outputs that would overwrite a recording, or mix two kinds of lines."""
    if output and any(one.path and _same(output, one.path) for one in inputs):
        raise typer.BadParameter(f"{output} is one of the recordings.", param_hint="'--output'")
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


def _load(model: str, device: str, precision: Precision) -> Captioner:
    with uncollected():
        from huggingface_hub.utils import disable_progress_bars

        from auricle.pipeline import Captioner

        captioner = Captioner.from_pretrained(model, device=device, precision=precision.value)
    disable_progress_bars()  # after the downloads, only our bar is shown
    if precision is Precision.auto:
        say("note", f"precision {captioner.precision}: {captioner.precision_reason}")
    return captioner


def _write(
    inputs: Sequence[Input],
    captions: Iterator[Captioned[Any]],
    format: CaptionFormat,
    to: TextIO,
    tables: TextIO | None,
) -> int:
    """Write a record per recording, and its candidates to ``tables``; return the failures.

    ``captions``: of the inputs without an error, in their order.
    """
    from auricle.cli.explain import print_candidates
    from auricle.writers import WRITERS

    failed = 0
    with WRITERS[format](to) as writer, Display() as display:
        for done, one in enumerate(inputs, 1):
            if one.error:  # it has been said
                failed += 1
                writer.fail(one.name, _reason(one, one.error))
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
                display.error(_failure(one, captioned.error))
                writer.fail(one.name, _reason(one, captioned.error))
            display.progress("recordings", done, len(inputs))
    return failed


def _next(captions: Iterator[Captioned[Any]], one: Input) -> Captioned[Any]:
    try:
        return next(captions)
    except (MemoryError, RuntimeError) as error:
        error.add_note(f"at {printable(one.name)} or a recording soon after it")
        raise


def _speak(
    captioner: Captioner, inputs: Sequence[Input], decoding: Decoding, to: TextIO, allow_urls: bool
) -> int:
    """Write every caption word by word; return the failures."""
    failed = 0
    for one in inputs:
        if one.error:
            failed += 1
            continue
        pieces = captioner.speak(
            one.source(), decoding, on_note=lambda text: say("note", text), allow_urls=allow_urls
        )
        try:
            for number, piece in enumerate(pieces):
                to.write(
                    printable(piece) if number else f"{printable(one.name)}\t{printable(piece)}"
                )
                to.flush()
        except AudioError as error:
            failed += 1
            say("error", _failure(one, error))
        else:
            to.write("\n")
    return failed


def _failure(one: Input, error: AudioError | None) -> str:
    """The line of a recording without a caption; its name is escaped while it can be told apart."""
    return f"{printable(one.name)}: {_reason(one, error)}"


def _reason(one: Input, error: AudioError | None) -> str:
    return str(error).removeprefix(f"{one.name}: ")


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
