"""`auricle evaluate PREDICTIONS --references DATA`: all metrics of a file or of a model.

Scores go to stdout, everything else to stderr.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say
from auricle.cli.options import (
    BatchSize,
    Candidates,
    DecodeMethod,
    DecodingChoices,
    DeviceName,
    Metrics,
    Partial,
    ReferenceData,
    ReferenceSplit,
    ScoreFormat,
    Seed,
)
from auricle.cli.progress import Display
from auricle.watch import Watch

if TYPE_CHECKING:
    from auricle.evaluation.assessment import Assessment
    from auricle.evaluation.pairing import Pairs
    from auricle.evaluation.predictions import Prediction
    from auricle.evaluation.references import References
    from auricle.metrics.registry import Measured
    from auricle.pipeline import Captioner, Decoding

EPILOG = (
    "Exit status: 0 every clip scored; 1 some left out by --partial, each named; 2 files that do"
    " not match or cannot be read, each row named, or wrong use."
)


def evaluate(
    predictions: Annotated[
        str,
        typer.Argument(
            metavar="PREDICTIONS",
            help="A DCASE CSV, JSON Lines of captions, or the name or folder of a model that"
            " captions the recordings first.",
        ),
    ],
    references: ReferenceData,
    metrics: Metrics = None,
    format: Annotated[
        ScoreFormat, typer.Option(help="Format of the scores on stdout.")
    ] = ScoreFormat.table,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write report.html (to listen to), report.json and report.md here."
        ),
    ] = None,
    partial: Partial = False,
    split: ReferenceSplit = None,
    audio: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The recordings of a CSV's clips."),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA", help="The training captions, for the share of captions that are new."
        ),
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="File for a model's captions.",
            show_default="in DIR, or MODEL-DATA.jsonl",
        ),
    ] = None,
    decode: DecodeMethod = None,
    candidates: Candidates = None,
    seed: Seed = 0,
    device: DeviceName = "auto",
    batch_size: BatchSize = 8,
) -> None:
    """Score captions against captions by people, with 95 % intervals.

    A metric that cannot be computed on this machine is listed with the command that installs it;
    its replacement has another name.
    """
    with exit_codes():
        stdout = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):  # in case a library prints
            from auricle.evaluation.references import read_references
            from auricle.metrics.registry import chosen
            from auricle.pipeline import Captioner

            names = split_names(metrics)
            chosen(names)
            if report:
                from auricle.report.evaluation import prepare

                prepare(report)
            data = read_references(references, audio, split)
            if is_model(predictions):
                kept = captions or _kept(predictions, references, report)
                captioner = Captioner.from_pretrained(predictions, device=device)
                choices = DecodingChoices(decode, candidates)
                decoding = choices.decoding(captioner, seed=seed)
                pairs, more = _captioned(captioner, data, kept, partial, decoding, batch_size)
            else:
                pairs, more = paired(Path(predictions), data, partial), []
            known = None
            if training:
                known = [t for clip in read_references(training).clips for t in clip.captions]
            found = assess(predictions, pairs, data, names, device, seed, known, more)
            if report:
                _write_report(found, report)
        _show(found, format, stdout)
    if found.pairs.faults.found:
        raise typer.Exit(SOME_FAILED)


def split_names(metrics: Sequence[str] | None) -> list[str] | None:
    """["bleu,spice", "fense"] -> ["bleu", "spice", "fense"]."""
    names = [name for entry in metrics or [] for name in entry.replace(",", " ").split()]
    return names or None


def paired(path: Path, data: References, partial: bool) -> Pairs:
    """A file's predictions with their clips; rows without a partner are named."""
    from auricle.evaluation.predictions import read_predictions

    return _pair(read_predictions(path), data, partial)


def is_model(name: str) -> bool:
    """Whether ``name`` is a model: not a file, and without a file's suffix."""
    from auricle.evaluation.rows import JSON_LINES, TABLES

    return not Path(name).is_file() and Path(name).suffix.lower() not in TABLES | JSON_LINES


def assess(
    system: str,
    pairs: Pairs,
    data: References,
    metrics: Sequence[str] | None,
    device: str,
    seed: int,
    training: Sequence[str] | None = None,
    more: Sequence[Measured] = (),
) -> Assessment:
    """All metrics of ``pairs`` and ``more``, with progress on stderr."""
    from auricle.evaluation.assessment import Assessment
    from auricle.metrics import Evaluation
    from auricle.metrics import evaluate as measure
    from auricle.pipeline import pick_device

    with Display() as display:
        evaluation = measure(
            pairs.captions,
            pairs.texts,
            metrics,
            rivals=pairs.rivals(),
            training=training,
            device=str(pick_device(device)),
            seed=seed,
            progress=display.progress,
        )
    if more:
        measured = [*evaluation.measured, *more]
        evaluation = Evaluation.of(evaluation.clips, measured, evaluation.missing, seed)
    return Assessment(system, str(data.path), pairs, evaluation)


def _pair(predictions: Sequence[Prediction], data: References, partial: bool) -> Pairs:
    from auricle.evaluation.pairing import PairingError, pair

    try:
        pairs = pair(predictions, data, partial)
    except PairingError as error:
        for line in error.faults.lines():
            say("error", line)
        raise
    for line in (*(f"left out: {line}" for line in pairs.faults.lines()), *pairs.notes):
        say("note", line)
    return pairs


def _captioned(
    captioner: Captioner,
    data: References,
    output: Path,
    partial: bool,
    decoding: Decoding,
    batch_size: int,
) -> tuple[Pairs, list[Measured]]:
    """The model's captions with their clips, and its retrieval scores."""
    from auricle.errors import ModelError
    from auricle.evaluation.captioning import caption_clips, retrieval

    with Display() as display:
        watch = Watch(display.error, display.progress)
        said = caption_clips(
            captioner, data.clips, output, decoding, batch_size=batch_size, watch=watch
        )
    say("note", f"captions kept in {output}")
    pairs = _pair(said.predictions, data, partial)
    try:
        return pairs, retrieval(captioner, pairs.references, said.embeddings)
    except ModelError as error:
        say("note", f"no retrieval: {error}")
        return pairs, []


def _kept(model: str, references: Path, report: Path | None) -> Path:
    if report:
        return report / "captions.jsonl"
    return Path(f"{Path(model).name}-{references.stem}.jsonl")


def _write_report(found: Assessment, folder: Path) -> None:
    from auricle.report.evaluation import write_report

    with Display() as display:
        paths = write_report(found, folder, display.progress)
    say("note", f"report: {', '.join(map(str, paths))}")


def _show(found: Assessment, format: ScoreFormat, stdout: TextIO) -> None:
    from auricle.evaluation.assessment import as_json
    from auricle.evaluation.table import COLUMNS, heading, markdown, remarks, score_rows

    if format is ScoreFormat.json:
        stdout.write(json.dumps(as_json(found), ensure_ascii=False, indent=1) + "\n")
    elif format is ScoreFormat.markdown:
        stdout.write(markdown(found))
    else:
        from auricle.cli.tables import print_table

        stdout.write(heading(found) + "\n")
        print_table("", COLUMNS, score_rows(found.evaluation))
        for title, lines in remarks(found).items():
            stdout.write("\n".join([f"{title}:", *(f"  {line}" for line in lines)]) + "\n")
