"""`auricle evaluate PREDICTIONS --references DATA`: all metrics of a file or of a model.

Scores go to stdout, everything else to stderr.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
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
    DropBlank,
    FluencyFilter,
    Metrics,
    Offline,
    Partial,
    ReferenceData,
    ReferenceSplit,
    ScoreFormat,
    Seed,
    Threads,
    say_unused,
    spread,
)
from auricle.cli.progress import Display
from auricle.printable import printable, printable_json
from auricle.watch import Watch

if TYPE_CHECKING:
    from auricle.evaluation.assessment import Assessment
    from auricle.evaluation.captioning import ModelCaptions
    from auricle.evaluation.pairing import Pairs
    from auricle.evaluation.predictions import Prediction
    from auricle.evaluation.references import References
    from auricle.llm.cost import TokenCount
    from auricle.metrics.clair_a import LlmJudge
    from auricle.metrics.registry import Measured
    from auricle.metrics.space import Grounding, Space
    from auricle.pipeline import Captioner
    from auricle.settings import Decoding

EPILOG = (
    "Exit status: 0 every clip scored; 1 some left out by --partial or --drop-blank, each named; 2"
    " files that do not fit or cannot be read, each row named, or wrong use."
)
OF_MODELS = ("captions", "decode", "candidates", "fluency", "batch_size")  # that caption first


@dataclass(frozen=True)
class SoundChoices:
    """Where captions are compared with the recordings; None leaves the default."""

    audio_model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="In whose space audio-sim and mace-like compare sounds with captions.",
            show_default="the model evaluated, tiny",
        ),
    ] = None
    clap: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="CLAP checkpoint of clap-sim and, where it is given, of mace-like: a folder or a"
            " name on the Hub.",
            show_default="laion/clap-htsat-unfused",
        ),
    ] = None

    def grounding(self, pairs: Pairs, heard: Space | None) -> Grounding:
        """The recordings of ``pairs``; ``heard``: the space of the model that captioned them."""
        from auricle.metrics.space import MODEL, Grounding

        recordings = tuple(clip.audio for clip in pairs.references)
        space = None if self.audio_model else heard
        return Grounding(recordings, self.audio_model or MODEL, self.clap, space)


@dataclass(frozen=True)
class JudgeChoices:
    """The language model that judges; without one there is no clair-a."""

    judge: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Language model of clair-a, as its server calls it. The key is taken from"
            " OPENAI_API_KEY.",
        ),
    ] = None
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Of the judge's server.", show_default="OPENAI_BASE_URL, OpenAI"
        ),
    ] = None
    price: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="IN OUT", help="Of a million tokens that the judge reads and writes."),
    ] = None
    verdicts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl",
            help="Where the judge's verdicts are kept; those in it are not asked for again.",
            show_default="in DIR, or PREDICTIONS-DATA-verdicts.jsonl",
        ),
    ] = None

    def judge_model(self, kept: Path) -> LlmJudge | None:
        """``kept``: where verdicts are kept, unless another file was chosen."""
        from auricle.llm.client import ClientConfig
        from auricle.metrics.clair_a import LlmJudge

        if self.judge is None:
            return None
        config = ClientConfig(self.judge, self.base_url, temperature=0.0, option="--judge")
        return LlmJudge(config, self.verdicts or kept, self._tell_cost)

    def _tell_cost(self, tokens: TokenCount) -> None:
        from auricle.cli.progress import spent
        from auricle.llm.cost import Price

        say("note", f"the judge took {spent(tokens, Price(*self.price) if self.price else None)}")


@spread
def evaluate(
    context: typer.Context,
    predictions: Annotated[
        str,
        typer.Argument(
            metavar="PREDICTIONS",
            help="A DCASE CSV, JSON Lines of captions, the folder of an `auricle batch`, or the"
            " name or folder of a model that captions the recordings first.",
        ),
    ],
    *,
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
    drop_blank: DropBlank = False,
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
    sounds: SoundChoices,
    judge: JudgeChoices,
    decode: DecodeMethod = None,
    candidates: Candidates = None,
    fluency: FluencyFilter = None,
    seed: Seed = 0,
    device: DeviceName = "auto",
    offline: Offline = False,
    threads: Threads = None,
    batch_size: BatchSize = 8,
) -> None:
    """Score captions against captions by people, with 95 % intervals.

    A metric that cannot be computed on this machine is listed with the command that brings it; what
    stands in for it has another name. Metrics that take the recordings or a server are computed
    where --metrics names them.
    """
    with exit_codes():
        stdout = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):  # in case a library prints
            from auricle.decoding.options import unused
            from auricle.evaluation.references import read_references
            from auricle.metrics.registry import chosen
            from auricle.metrics.space import ModelSpace
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
                choices = DecodingChoices(decode, candidates, fluency=fluency)
                decoding = choices.decoding(captioner, seed=seed)
                method = decoding.options.method
                say_unused(context, f"{method} decoding", {*unused(method)} - {"seed"})  # intervals
                said = _captioned(captioner, data, kept, decoding, batch_size)
                pairs = _pair(said.predictions, data, partial, drop_blank)
                more = _retrieval(captioner, pairs, said)
                space = ModelSpace.of(captioner, said.sounds(pairs.references))
            else:
                say_unused(context, "a file of captions", OF_MODELS)
                pairs = paired(Path(predictions), data, partial, drop_blank)
                more, space = [], None
            known = None
            if training:
                known = [t for clip in read_references(training).clips for t in clip.captions]
            grounding = sounds.grounding(pairs, space)
            llm = judge.judge_model(_kept(predictions, references, report, "verdicts"))
            found = assess(
                predictions, pairs, data, names, device, seed, known, more, grounding, llm
            )
            if report:
                _write_report(found, report)
        _show(found, format, stdout)
    if found.pairs.faults.found:
        raise typer.Exit(SOME_FAILED)


def split_names(metrics: Sequence[str] | None) -> list[str] | None:
    """["bleu,spice", "fense"] -> ["bleu", "spice", "fense"]."""
    names = [name for entry in metrics or [] for name in entry.replace(",", " ").split()]
    return names or None


def paired(path: Path, data: References, partial: bool, drop_blank: bool) -> Pairs:
    """A file's predictions with their clips; every row that fits nowhere is said."""
    from auricle.evaluation.predictions import read_predictions

    return _pair(read_predictions(path), data, partial, drop_blank)


def is_model(name: str) -> bool:
    """Whether ``name`` is a model: no file, without a file's suffix, and no output of a batch."""
    from auricle.evaluation.rows import JSON_LINES, TABLES
    from auricle.shards import shards_in

    path = Path(name)
    is_file = path.is_file() or path.suffix.lower() in TABLES | JSON_LINES
    return not (is_file or shards_in(path))


def assess(
    system: str,
    pairs: Pairs,
    data: References,
    metrics: Sequence[str] | None,
    device: str,
    seed: int,
    training: Sequence[str] | None = None,
    more: Sequence[Measured] = (),
    grounding: Grounding | None = None,
    llm: LlmJudge | None = None,
) -> Assessment:
    """All metrics of ``pairs`` and ``more``, with progress on stderr."""
    from auricle.evaluation.assessment import Assessment
    from auricle.metrics import Evaluation
    from auricle.metrics import evaluate as measure
    from auricle.model.device import pick_device

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
            grounding=grounding,
            llm=llm,
        )
    if more:
        measured = [*evaluation.measured, *more]
        evaluation = Evaluation.of(
            evaluation.clips, measured, evaluation.missing, seed, evaluation.errors
        )
    return Assessment(system, str(data.path), pairs, evaluation)


def _pair(
    predictions: Sequence[Prediction], data: References, partial: bool, drop_blank: bool
) -> Pairs:
    from auricle.evaluation.pairing import PairingError, pair

    try:
        pairs = pair(predictions, data, partial, drop_blank)
    except PairingError as error:
        for line in error.faults.lines():
            say("error", line)
        raise
    for line in (*(f"left out: {line}" for line in pairs.faults.lines()), *pairs.notes):
        say("note", line)
    return pairs


def _captioned(
    captioner: Captioner, data: References, output: Path, decoding: Decoding, batch_size: int
) -> ModelCaptions:
    """The model's captions of the clips, kept in ``output``."""
    from auricle.evaluation.captioning import caption_clips

    with Display() as display:
        watch = Watch(display.error, display.progress)
        said = caption_clips(
            captioner, data.clips, output, decoding, batch_size=batch_size, watch=watch
        )
    say("note", f"captions kept in {output}")
    return said


def _retrieval(captioner: Captioner, pairs: Pairs, said: ModelCaptions) -> list[Measured]:
    """The model's retrieval among the clips, where it can be measured."""
    from auricle.errors import ModelError
    from auricle.evaluation.captioning import retrieval

    try:
        return retrieval(captioner, pairs.references, said.embeddings)
    except ModelError as error:
        say("note", f"no retrieval: {error}")
        return []


def _kept(system: str, references: Path, report: Path | None, what: str = "captions") -> Path:
    if report:
        return report / f"{what}.jsonl"
    ending = "" if what == "captions" else f"-{what}"
    return Path(f"{Path(system).name}-{references.stem}{ending}.jsonl")


def _write_report(found: Assessment, folder: Path) -> None:
    from auricle.report.evaluation import write_report

    with Display() as display:
        paths = write_report(found, folder, display.progress)
    say("note", f"report: {', '.join(map(str, paths))}")


def _show(found: Assessment, format: ScoreFormat, stdout: TextIO) -> None:
    from auricle.evaluation.assessment import as_json
    from auricle.evaluation.table import COLUMNS, heading, markdown, remarks, score_rows

    if format is ScoreFormat.json:
        text = json.dumps(as_json(found), ensure_ascii=False, indent=1)
        stdout.write(printable_json(text) + "\n")
    elif format is ScoreFormat.markdown:
        stdout.write(markdown(found))
    else:
        from auricle.cli.tables import print_table

        stdout.write(printable(heading(found)) + "\n")
        print_table("", COLUMNS, score_rows(found.evaluation))
        for title, lines in remarks(found).items():
            stdout.write("".join([f"{title}:\n", *(f"  {printable(line)}\n" for line in lines)]))
