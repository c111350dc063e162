"""`auricle caption PATH...`: captions on stdout or in a file, everything else on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say
from auricle.cli.options import (
    BatchSize,
    DecodingChoices,
    DeviceName,
    ModelName,
    Precision,
    PrecisionName,
    Seed,
    Threads,
    spread,
)
from auricle.cli.progress import Display
from auricle.errors import AudioError

if TYPE_CHECKING:
    from auricle.pipeline import Captioner, Decoding

EPILOG = (
    "Exit status: 0 all captioned; 1 some recording or folder gave no caption, each named with the"
    " reason on stderr; 2 wrong use, such as an unknown option or model."
)


class CaptionFormat(StrEnum):
    text = "text"
    jsonl = "jsonl"
    json = "json"
    csv = "csv"


@spread
def caption(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Recordings, and folders of them.")
    ],
    choices: DecodingChoices,
    model: ModelName = "tiny",
    seed: Seed = 0,
    format: Annotated[
        CaptionFormat, typer.Option(help="text: path, tab, caption; csv: DCASE submission.")
    ] = CaptionFormat.text,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write captions to this file.", show_default="stdout"),
    ] = None,
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
    device: DeviceName = "auto",
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

        found, problems = find_audio_files(paths)
        for problem in problems:
            say("error", str(problem))
        failed = len(problems)
        if found:
            if stream:
                _check_stream(format, explain, min_confidence)
            _check_output(found, output, format, explain)
            stdout = sys.stdout
            with contextlib.redirect_stdout(sys.stderr):  # in case a library prints
                captioner = _load(model, device, precision)
                decoding = choices.decoding(
                    captioner,
                    seed=seed,
                    every_term=explain,
                    min_confidence=min_confidence,
                    default="greedy" if stream else None,
                )
                with _opened(output, stdout) as to:
                    if stream:
                        failed += _speak(captioner, found, decoding, to)
                    else:
                        tables = stdout if explain else None
                        failed += _write(captioner, found, decoding, batch_size, format, to, tables)
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
    found: Sequence[Path], output: Path | None, format: CaptionFormat, explain: bool
) -> None:
    """Refuse outputs that would overwrite a recording, or mix two kinds of lines."""
    if output and any(_same(output, path) for path in found):
        raise typer.BadParameter(f"{output} is one of the recordings.", param_hint="'--output'")
    if explain and format is not CaptionFormat.text and not output:
        raise typer.BadParameter(
            "the tables would be between the records; write the records to a file with --output.",
            param_hint="'--explain'",
        )


def _load(model: str, device: str, precision: Precision) -> Captioner:
    from huggingface_hub.utils import disable_progress_bars

    from auricle.pipeline import Captioner

    captioner = Captioner.from_pretrained(model, device=device, precision=precision.value)
    disable_progress_bars()  # after the downloads, only our bar is shown
    if precision is Precision.auto:
        say("note", f"precision {captioner.precision}: {captioner.precision_reason}")
    return captioner


def _write(
    captioner: Captioner,
    found: Sequence[Path],
    decoding: Decoding,
    batch_size: int,
    format: CaptionFormat,
    to: TextIO,
    tables: TextIO | None,
) -> int:
    """Write a record per recording, and its candidates to ``tables``; return the failures."""
    from auricle.cli.explain import print_candidates
    from auricle.writers import WRITERS

    failed = 0
    with WRITERS[format](to) as writer, Display() as display:
        captions = captioner.stream(found, decoding, batch_size=batch_size)
        for done, captioned in enumerate(captions, 1):
            if note := captioned.heard.note:
                display.note(note)
            if captioned.caption:
                with display.paused():
                    writer.write(captioned.caption)
                    if tables:
                        print_candidates(captioned.caption, tables)
            else:
                failed += 1
                display.error(str(captioned.error))
            display.progress("recordings", done, len(found))
    return failed


def _speak(captioner: Captioner, found: Sequence[Path], decoding: Decoding, to: TextIO) -> int:
    """Write every caption word by word; return the failures."""
    failed = 0
    for path in found:
        pieces = captioner.speak(path, decoding, on_note=lambda text: say("note", text))
        try:
            for number, piece in enumerate(pieces):
                to.write(piece if number else f"{path}\t{piece}")
                to.flush()
        except AudioError as error:
            failed += 1
            say("error", str(error))
        else:
            to.write("\n")
    return failed


def _opened(output: Path | None, stdout: TextIO) -> contextlib.AbstractContextManager[TextIO]:
    if output is None:
        return contextlib.nullcontext(stdout)
    try:
        return output.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise typer.BadParameter(
            f"{output} cannot be written ({error.strerror}).", param_hint="'--output'"
        ) from error


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
