"""`auricle listen`: live captions of a microphone, or of sound that another program writes."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from auricle.cli.console import exit_codes, say, stopping
from auricle.cli.loading import ModelChoices
from auricle.cli.options import (
    DecodingChoices,
    positive,
    say_unused,
    spread,
)
from auricle.errors import AudioError
from auricle.printable import printable

if TYPE_CHECKING:
    from auricle.audio.live import LiveSound
    from auricle.hearing import LiveSource
    from auricle.records import LiveCaption
    from auricle.writers import Writer

EPILOG = (
    "Text is a line [time of day] caption, with … at the end if the sound goes on. The keys of"
    " jsonl are those of `auricle caption`, and time, goes_on and latency_s. Exit status: 0 at"
    " the end of the input or of --duration; 2 wrong use, such as an unknown microphone; 130 after"
    " Ctrl-C and 143 after SIGTERM, with the last sound captioned."
)
LATEST = 10_000  # captions whose latency is counted


class ListenFormat(StrEnum):
    text = "text"
    jsonl = "jsonl"


class Samples(StrEnum):
    s16le = "s16le"
    s24le = "s24le"
    s32le = "s32le"
    f32le = "f32le"
    f64le = "f64le"
    u8 = "u8"


RAW = ("rate", "channels", "sample_format")


@spread
def listen(
    context: typer.Context,
    *,
    choices: DecodingChoices,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="MICROPHONE|-",
            help="The number of a microphone or a part of its name, or - for a WAV or raw samples"
            " on standard input.",
            show_default="the system's microphone",
        ),
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="Show the microphones, and end.")
    ] = False,
    rate: Annotated[
        int | None,
        typer.Option(metavar="HZ", help="Of raw samples on standard input.", show_default="16000"),
    ] = None,
    channels: Annotated[
        int | None, typer.Option(metavar="N", help="Of raw samples.", show_default="1")
    ] = None,
    sample_format: Annotated[
        Samples | None, typer.Option(help="Of raw samples.", show_default="s16le")
    ] = None,
    using: ModelChoices,
    every: Annotated[
        float,
        typer.Option(
            metavar="S",
            min=0.0,
            help="A sound that goes on has a line after S seconds, and again; 0: when it ended.",
        ),
    ] = 10.0,
    duration: Annotated[
        float | None,
        typer.Option(metavar="S", callback=positive, help="Stop after S seconds of sound."),
    ] = None,
    sensitivity: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="0: only sounds far above the background; 1: also others."
        ),
    ] = 0.5,
    pause: Annotated[
        float,
        typer.Option(
            metavar="S", min=0.1, max=60.0, help="A sound has ended after S seconds of background."
        ),
    ] = 0.8,
    min_confidence: Annotated[
        float,
        typer.Option(metavar="P", min=0.0, max=1.0, help="Leave out less confident captions."),
    ] = 0.0,
    format: Annotated[ListenFormat, typer.Option(help="Of the captions.")] = ListenFormat.text,
    elapsed: Annotated[
        bool,
        typer.Option("--elapsed", help="Text: the time since the start, not the time of day."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Add the captions to this file.", show_default="stdout"),
    ] = None,
) -> None:
    """Describe sounds live, each as soon as it has ended.

    Listens to a microphone (with the extra "listen"), or to standard input: `arecord -f S16_LE -r
    16000 | auricle listen -`. A computer that is too slow skips the oldest sound, and says so.
    """
    with exit_codes():
        if list_devices:
            _print_devices()
            return
        from auricle.writers import WRITERS, LiveWriter

        if source != "-":
            say_unused(context, "a microphone", RAW)
        raw = _raw(rate, channels, sample_format)
        stdout = sys.stdout
        with (
            contextlib.redirect_stdout(sys.stderr),  # in case a library prints
            _appended(output, stdout) as to,
        ):
            captioner = using.load()
            captions = captioner.listen(
                _source(source),
                decoding=choices.decoding(
                    captioner, seed=using.seed, min_confidence=min_confidence
                ),
                raw=raw,
                every_s=every or None,
                duration_s=duration,
                on_note=lambda text: say("note", text),
                sensitivity=sensitivity,
                pause_s=pause,
            )
            say(
                "note",
                f"listening to {captions.sound.name}; a line follows a sound by about"
                f" {captions.typical_latency_s:.1f} s",
            )
            writer: Writer = (
                LiveWriter(to, elapsed)
                if format is ListenFormat.text
                else WRITERS[format.value](to)
            )
            statistics = Statistics()
            try:
                with stopping(captions.sound.stop), writer:
                    for caption in captions:
                        writer.write(caption)
                        statistics.add(caption)
            finally:
                say("note", statistics.line(captions.sound))


@dataclass
class Statistics:
    """What listening has come to: captions of sounds that ended, and their latencies."""

    begun_s: float = field(default_factory=time.monotonic)
    count: int = 0
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))

    def add(self, caption: LiveCaption) -> None:
        if not caption.goes_on:
            self.count += 1
            self.latencies_s.append(caption.latency_s)

    def line(self, sound: LiveSound) -> str:
        """Such as "12 captions of 300 s; latency p50 1.4 s, p95 1.8 s; 0.05 s of work per second of
        sound"."""
        parts = [f"{self.count} caption{'s' * (self.count != 1)} of {sound.heard_s:.4g} s of sound"]
        if self.latencies_s:
            every_5 = quantiles([*self.latencies_s, *self.latencies_s], n=20, method="inclusive")
            parts.append(
                f"latency from a sound's end to its line: p50 {every_5[9]:.2f} s, p95"
                f" {every_5[18]:.2f} s"
            )
        if sound.heard_s:
            work_s = time.monotonic() - self.begun_s - sound.waited_s
            parts.append(f"{work_s / sound.heard_s:.3f} s of work per second of sound")
        parts.append(f"{sound.skipped_s:.3g} s skipped, {sound.overruns} overruns")
        return "; ".join(parts)


def _print_devices() -> None:
    """A line per input: its number, * for the system's own choice, name, channels and rate."""
    from auricle.audio.microphone import input_devices

    found = input_devices()
    for one in found:
        typer.echo(
            f"{one.number:>3} {'*' if one.default else ' '} {printable(one.name)}"
            f" ({one.channels} channel{'s' * (one.channels != 1)}, {one.rate_hz} Hz)"
        )
    if not found:
        say("note", "there is no microphone; connect one, or pipe sound in and give -")


def _source(source: str | None) -> LiveSource:
    if source == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise AudioError(
                "<stdin>: no program writes to it; send sound into it: arecord -f S16_LE -r 16000 |"
                " auricle listen -"
            )
        # Not the buffer: a thread that waits in it would hold it at the end of the program.
        return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    return int(source) if source and source.isdecimal() else source


def _raw(rate: int | None, channels: int | None, samples: Samples | None) -> Any:
    """The format of raw samples; None if no option says that there are such."""
    from auricle.audio.pipe import PcmFormat

    given = {"rate_hz": rate, "channels": channels, "samples": samples and samples.value}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return PcmFormat(**given) if given else None  # type: ignore[arg-type]
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="'--rate', '--channels'") from error


@contextlib.contextmanager
def _appended(output: Path | None, stdout: TextIO) -> Iterator[TextIO]:
    """``output``, to write after what it holds; ``stdout`` without it."""
    if output is None:
        yield stdout
        return
    try:
        file = output.open("a", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise typer.BadParameter(
            f"{printable(str(output))} cannot be written ({error.strerror}).",
            param_hint="'--output'",
        ) from error
    with file:
        yield file
