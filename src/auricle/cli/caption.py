"""`auricle caption PATH...`: captions on stdout or in a file, everything else on stderr."""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from auricle.cli.console import SOME_FAILED, ProgressBar, exit_codes, say

EPILOG = (
    "Exit status: 0 all captioned; 1 some recording or folder gave no caption, each named with the"
    " reason on stderr; 2 wrong use, such as an unknown option or model."
)
FROM_MODEL = "the model's own"


class Decode(StrEnum):
    nucleus = "nucleus"
    beam = "beam"
    greedy = "greedy"


class Format(StrEnum):
    text = "text"
    jsonl = "jsonl"
    json = "json"
    csv = "csv"


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


def _positive(value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value} is not above 0.")
    return value


def _probability(value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1:
        raise typer.BadParameter(f"{value} is not in the range 0<x<=1.")
    return value


def caption(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Recordings, and folders of them.")
    ],
    model: Annotated[
        str, typer.Option(metavar="NAME|FOLDER", help="See `auricle models list`.")
    ] = "tiny",
    decode: Annotated[
        Decode | None, typer.Option(help="How captions are found.", show_default=FROM_MODEL)
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Samples, or beams, per recording.", show_default=FROM_MODEL
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="T",
            callback=_positive,
            help="Of nucleus sampling, above 0.",
            show_default=FROM_MODEL,
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            callback=_probability,
            help="Nucleus: probability kept.",
            show_default=FROM_MODEL,
        ),
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            min=0,
            help="Nucleus: most tokens kept; 0 keeps all.",
            show_default=FROM_MODEL,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="The same seed, the same captions.")
    ] = 0,
    format: Annotated[
        Format, typer.Option(help="text: path, tab, caption; csv: DCASE submission.")
    ] = Format.text,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write captions to this file.", show_default="stdout"),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.auto,
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Recordings per pass.")] = 8,
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
            device=device.value,
            decode=decode and decode.value,
            candidates=candidates,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            seed=seed,
            batch_size=batch_size,
        )
    if failed:
        raise typer.Exit(SOME_FAILED)


def _run(
    paths: list[Path], model: str, output: Path | None, format: str, device: str, **decoding: Any
) -> int:
    """Caption everything that can be; the number of failures, each reported."""
    from auricle.audio import find_audio_files
    from auricle.writers import WRITERS

    found, problems = find_audio_files(paths)
    for problem in problems:
        say("error", str(problem))
    failed = len(problems)
    if not found:
        return failed
    if output and any(_same(output, path) for path in found):
        raise typer.BadParameter(f"{output} is one of the recordings.", param_hint="'--output'")

    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # should some library print, not among captions
        from huggingface_hub.utils import disable_progress_bars

        from auricle.pipeline import Captioner

        captioner = Captioner.from_pretrained(model, device=device)
        disable_progress_bars()  # downloads are over; from here on there is one bar, ours
        with (
            _opened(output, stdout) as stream,
            WRITERS[format](stream) as writer,
            ProgressBar(len(found)) as bar,
        ):

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
