"""`auricle timeline PATH...`: what is heard when, as records, tables, subtitles or annotations."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO, cast

import typer

from auricle.allocator import map_large_blocks
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
from auricle.cli.subtitle_options import SDH_ONLY, SubtitleChoices
from auricle.cli.timeline_formats import SUBTITLES, SUFFIXES, Documents, chosen_formats
from auricle.errors import AudioError
from auricle.jobs import Job, Task
from auricle.sidecars import Outcome
from auricle.writers import TIMELINE_WRITERS, document

if TYPE_CHECKING:
    from auricle.audio.find import Input
    from auricle.audio.kinds import AudioInput
    from auricle.records import Caption
    from auricle.subtitles.documents import Format
    from auricle.timeline.options import TimelineOptions
    from auricle.timeline.timeline import Timeline

    Hear = Callable[[AudioInput], Timeline]

EPILOG = (
    "Exit status: 0 all heard; 1 some recording could not be, each named with the reason on stderr;"
    " 2 wrong use, such as an unknown option or model; 130 after Ctrl-C and 143 after SIGTERM, with"
    " all finished captions written and the file complete."
)


@dataclass(frozen=True)
class TimelineChoices:
    """How recordings are cut into timed captions."""

    min_duration: Annotated[
        float,
        typer.Option(metavar="S", min=0.04, help="Leave out sounds that are audible for less."),
    ] = 0.2
    max_duration: Annotated[
        float | None,
        typer.Option(
            metavar="S", min=1, help="Cut longer captions.", show_default="as long as the sound"
        ),
    ] = None
    min_confidence: Annotated[
        float,
        typer.Option(metavar="P", min=0.0, max=1.0, help="Leave out captions with less."),
    ] = 0.0
    sensitivity: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0.0,
            max=1.0,
            help="0 takes what is far above the background, 1 what hardly is.",
        ),
    ] = 0.5
    hop: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            min=1,
            help="Between the windows in which a long sound is heard.",
            show_default="the model's longest recording less 5",
        ),
    ] = None

    @property
    def options(self) -> TimelineOptions:
        from auricle.timeline.options import TimelineOptions

        try:
            return TimelineOptions(
                min_duration_s=self.min_duration,
                max_duration_s=self.max_duration,
                sensitivity=self.sensitivity,
                hop_s=self.hop,
            )
        except ValueError as error:
            raise typer.BadParameter(f"{error}.") from error


@dataclass(frozen=True)
class TimedOutcome(Outcome):
    """The timed captions of a recording, with the documents of the formats that were asked for."""

    documents: Mapping[str, str] = field(default_factory=dict)


@spread
def timeline(
    context: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help='Recordings, folders of them, "patterns/**/*.wav", @LIST (a file with a path per'
            " line), or - for standard input; with --strip alone, subtitles.",
        ),
    ],
    *,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="jsonl, json or csv; srt or vtt; textgrid (Praat), audacity, eaf (ELAN). Several"
            " by commas.",
            show_default="by the name of FILE, else jsonl",
        ),
    ] = None,
    timing: TimelineChoices,
    subtitles: SubtitleChoices,
    places: FolderChoices,
    choices: DecodingChoices,
    using: ModelChoices,
    allow_urls: Annotated[
        bool, typer.Option("--allow-urls", help="Download recordings given as http(s) addresses.")
    ] = False,
    batch_size: BatchSize = 8,
) -> None:
    """Tell what can be heard when in recordings of any length: a caption per event or scene.

    Reads wav, flac, ogg and mp3, and with the extra "av" every format of FFmpeg, also the sound of
    videos. Silence and a faint steady background give no caption.
    """
    with exit_codes():
        places.check()
        formats = chosen_formats(format, places, subtitles)
        stdout = sys.stdout
        if subtitles.strip and not subtitles.speech:
            named = format or (places.file and formats[0] in SUBTITLES)
            _strip(paths, formats[0] if named else None, subtitles, places, stdout)
            return
        _check(formats, places, subtitles)
        if not set(formats) & set(SUBTITLES):
            say_unused(context, f"{' and '.join(formats)}", ["profile", "speech", *SDH_ONLY])
        elif subtitles.guidelines is None:
            say_unused(context, "--profile plain", SDH_ONLY)
        inputs = found_inputs(paths)
        documents = Documents(formats, subtitles, subtitles.dialogue())
        if subtitles.speech and len(inputs) > 1:
            raise typer.BadParameter(
                f"dialogue is of one recording, and these are {len(inputs)}; call it for each.",
                param_hint="'--speech'",
            )
        if documents.of_one and not places.per_recording and len(inputs) > 1:
            raise typer.BadParameter(
                f"{formats[0]} is of one recording, and these are {len(inputs)}; give --output with"
                " a folder.",
                param_hint="'--format'",
            )
        options = timing.options

        def start() -> Hear:
            from auricle.decoding.options import unused

            map_large_blocks()
            captioner = using.load()
            decoding = choices.decoding(
                captioner, seed=using.seed, min_confidence=timing.min_confidence
            )
            method = decoding.options.method
            say_unused(context, f"{method} decoding", unused(method, False))
            return lambda source: captioner.timeline(
                source, options, decoding, batch_size=batch_size, allow_urls=allow_urls
            )

        with contextlib.redirect_stdout(sys.stderr):  # in case a library prints
            if places.per_recording:
                settings = asdict(timing) | documents.settings | asdict(choices)
                settings |= {"seed": using.seed, "precision": using.precision}
                job = Job(
                    "timeline",
                    using.model,
                    {
                        name: value if value is None else str(value)
                        for name, value in settings.items()
                    },
                    {SUFFIXES[name]: partial(_document, name) for name in formats},
                    lambda: partial(_outcomes, start(), documents),
                )
                failed = write_sidecars(inputs, places, job, stdout)
            else:
                with opened(places.file, places.overwrite, stdout, formats[0] == "csv") as to:
                    hear = None if all(one.error for one in inputs) else start()
                    failed = _write(inputs, hear, formats[0], documents, to)
    if failed:
        raise typer.Exit(SOME_FAILED)


def _check(formats: Sequence[str], places: FolderChoices, subtitles: SubtitleChoices) -> None:
    """Refuse formats that need other places."""
    if len(formats) > 1 and not places.per_recording:
        raise typer.BadParameter(
            "several formats are several files; give --output with a folder, or --sidecar.",
            param_hint="'--format'",
        )
    if subtitles.speech and not set(formats) & set(SUBTITLES):
        raise typer.BadParameter(
            "dialogue is a part of srt and vtt alone; give --format srt.", param_hint="'--speech'"
        )


def _outcomes(hear: Hear, documents: Documents, tasks: Iterator[Task]) -> Iterator[Outcome]:
    """The captions and documents of each recording that gets sidecars."""
    for task in tasks:
        captions: list[Caption] = []
        try:
            timeline = hear(task.source())
            captions.extend(timeline)
        except AudioError as error:
            yield Outcome(error=error)
            continue
        texts, notes = documents.of(captions, timeline.sound.duration_s, task.one.name)
        notes = [*filter(None, [timeline.note]), *notes]
        yield TimedOutcome(
            captions,
            note="; ".join(notes) or None,
            partial=bool(timeline.note),
            duration_s=round(timeline.sound.duration_s, 3),
            documents=texts,
        )


def _document(format: str, outcome: Outcome) -> str:
    if isinstance(outcome, TimedOutcome) and format in outcome.documents:
        return outcome.documents[format]
    return document(TIMELINE_WRITERS[format], outcome.captions, outcome.partial)


def _write(
    inputs: Sequence[Input], hear: Hear | None, format: str, documents: Documents, to: TextIO
) -> int:
    """Write the captions of all recordings; return the failures."""

    def write_document(captions: Sequence[Caption], timeline: Timeline, name: str) -> None:
        texts, notes = documents.of(captions, timeline.sound.duration_s, name)
        for note in notes:
            display.note(note)
        with display.paused():
            to.write(texts[format])
            to.flush()

    failed = 0
    rows = TIMELINE_WRITERS.get(format)
    with rows(to) if rows else contextlib.nullcontext() as writer, Display() as display:
        for number, one in enumerate(inputs, 1):
            captions: list[Caption] = []  # of a document; rows are written at once
            error = one.error
            if not error:
                assert hear
                timeline = None
                try:
                    timeline = hear(one.source())
                    stage = one.name if len(inputs) == 1 else f"{number}/{len(inputs)} {one.name}"
                    for caption in _shown(timeline, stage, display):
                        if writer:
                            with display.paused():
                                writer.write(caption)
                        else:
                            captions.append(caption)
                except AudioError as found:
                    error = found
                    display.error(failure(one, error))
                except KeyboardInterrupt:
                    if captions and timeline:
                        write_document(captions, timeline, one.name)
                    raise
            if error:
                failed += 1
                if writer:
                    writer.fail(one.name, one.reason(error))
            elif not writer:
                assert timeline
                write_document(captions, timeline, one.name)
    return failed


def _shown(timeline: Timeline, stage: str, display: Display) -> Iterator[Caption]:
    """The captions of a recording, while ``display`` shows how much of it has been heard."""
    for caption in timeline:
        done, total = timeline.progress
        display.progress(stage, min(done, max(0, total - 1)), total)
        yield caption
    display.progress(stage, *timeline.progress)
    if timeline.note:
        display.note(timeline.note)


def _strip(
    paths: Sequence[str],
    format: str | None,
    subtitles: SubtitleChoices,
    places: FolderChoices,
    stdout: TextIO,
) -> None:
    """Write a file of subtitles without its cues of sounds."""
    if len(paths) != 1 or places.per_recording:
        raise typer.BadParameter(
            "takes one file of subtitles and writes one; for more, call it for each.",
            param_hint="'--strip'",
        )
    if format not in (None, *SUBTITLES):
        raise typer.BadParameter(
            f"subtitles are not {format}; srt or vtt.", param_hint="'--format'"
        )
    found = subtitles.stripped(Path(paths[0]), cast("Format | None", format))
    for note in found.notes:
        say("note", note)
    with opened(places.file, places.overwrite, stdout) as to:
        to.write(str(found))
        to.flush()
