"""`auricle caption PATH...`: captions on stdout or in a file, everything else on stderr."""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say
from auricle.cli.options import (
    BatchSize,
    Candidates,
    DecodeMethod,
    DeviceName,
    Forbidden,
    MaxLength,
    MinLength,
    ModelName,
    NoRepeat,
    Precision,
    PrecisionName,
    Seed,
    Temperature,
    TopK,
    TopP,
)
from auricle.cli.progress import ProgressBar
from auricle.errors import AudioError

if TYPE_CHECKING:
    from auricle.pipeline import Captioner

EPILOG = (
    "Exit status: 0 all captioned; 1 some recording or folder gave no caption, each named with the"
    " reason on stderr; 2 wrong use, such as an unknown option or model."
)


class CaptionFormat(StrEnum):
    text = "text"
    jsonl = "jsonl"
    json = "json"
    csv = "csv"


def caption(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Recordings, and folders of them.")
    ],
    model: ModelName = "tiny",
    decode: DecodeMethod = None,
    candidates: Candidates = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    top_k: TopK = None,
    min_length: MinLength = None,
    max_length: MaxLength = None,
    no_repeat_ngram: NoRepeat = None,
    forbid: Forbidden = None,
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
            help="A less certain caption becomes `no recognisable sound`.",
        ),
    ] = 0.0,
    device: DeviceName = "auto",
    precision: PrecisionName = Precision.float32,
    batch_size: BatchSize = 8,
) -> None:
    """Say in one sentence what can be heard in each recording.

    Reads wav, flac, ogg and mp3, and with the extra "av" whatever FFmpeg decodes; searches folders
    for audio files at any depth. Long recordings are captioned from their start.
    """
    with exit_codes():
        failed = _run(
            paths,
            model,
            output,
            format=format.value,
            device=device,
            precision=precision.value,
            explain=explain,
            word_by_word=stream,
            decode=decode and decode.value,
            candidates=candidates,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_length=min_length,
            max_length=max_length,
            no_repeat_ngram=no_repeat_ngram,
            forbidden_words=tuple(forbid) if forbid else None,
            seed=seed,
            min_confidence=min_confidence,
            every_term=explain,
            batch_size=batch_size,
        )
    if failed:
        raise typer.Exit(SOME_FAILED)


def _run(
    paths: list[Path],
    model: str,
    output: Path | None,
    format: str,
    device: str,
    precision: str,
    explain: bool,
    word_by_word: bool,
    **decoding: Any,
) -> int:
    """Caption everything that can be; the number of failures, each reported."""
    from auricle.audio.load import find_audio_files

    found, problems = find_audio_files(paths)
    for problem in problems:
        say("error", str(problem))
    if not found:
        return len(problems)
    _check(found, output, format, explain, word_by_word)

    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # should some library print, not among captions
        from huggingface_hub.utils import disable_progress_bars

        from auricle.pipeline import Captioner

        captioner = Captioner.from_pretrained(model, device=device, precision=precision)
        disable_progress_bars()  # downloads are over; from here on there is one bar, ours
        if precision == "auto":
            say("note", f"precision {captioner.precision}: {captioner.precision_reason}")
        _settings(captioner, **decoding)
        with _opened(output, stdout) as stream:
            if word_by_word:
                return len(problems) + _speak(captioner, found, stream, **decoding)
            tables = stdout if explain else None
            return len(problems) + _write(captioner, found, stream, format, tables, **decoding)


def _check(
    found: list[Path], output: Path | None, format: str, explain: bool, word_by_word: bool
) -> None:
    """Refuse options that do not go together."""
    if output and any(_same(output, path) for path in found):
        raise typer.BadParameter(f"{output} is one of the recordings.", param_hint="'--output'")
    if explain and format != "text" and not output:
        raise typer.BadParameter(
            "the tables would stand between the records; write these to a file with --output.",
            param_hint="'--explain'",
        )
    if word_by_word and (explain or format != "text"):
        raise typer.BadParameter(
            "captions are text while they are said; leave out --explain and --format.",
            param_hint="'--stream'",
        )


def _settings(
    captioner: Captioner,
    decode: str | None,
    seed: int,
    batch_size: int,
    every_term: bool,
    min_confidence: float,
    **changes: Any,
) -> None:
    """Refuse settings of decoding that are out of range together, before anything is heard."""
    try:
        captioner.options(decode, **changes)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from error


def _write(
    captioner: Captioner,
    found: list[Path],
    stream: TextIO,
    format: str,
    tables: TextIO | None,
    **decoding: Any,
) -> int:
    """A record for each recording, and for ``tables`` one of its candidates."""
    from auricle.writers import WRITERS

    failed = 0
    with WRITERS[format](stream) as writer, ProgressBar(len(found)) as bar:

        def on_error(source: object, error: Exception) -> None:
            nonlocal failed
            failed += 1
            with bar.step():
                say("error", str(error))

        def on_note(source: object, note: str) -> None:
            with bar.step(0):
                say("note", note)

        for record in captioner.stream(found, on_error=on_error, on_note=on_note, **decoding):
            with bar.step():
                writer.write(record)
                if tables:
                    from auricle.cli.explain import print_candidates

                    print_candidates(record, tables)
    return failed


def _speak(
    captioner: Captioner,
    found: list[Path],
    stream: TextIO,
    decode: str | None,
    seed: int,
    batch_size: int,
    every_term: bool,
    min_confidence: float,
    **changes: Any,
) -> int:
    """Every caption word by word."""
    if min_confidence:
        raise typer.BadParameter(
            "a caption that is not whole has no confidence; leave out --stream.",
            param_hint="'--min-confidence'",
        )
    failed = 0
    for path in found:
        pieces = captioner.speak(
            path,
            decode=decode or "greedy",
            seed=seed,
            on_note=lambda _, note: say("note", note),
            **changes,
        )
        try:
            for number, piece in enumerate(pieces):
                stream.write(piece if number else f"{path}\t{piece}")
                stream.flush()
        except AudioError as error:
            failed += 1
            say("error", str(error))
        else:
            stream.write("\n")
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
