"""`auricle tune`: reranking weights and confidence, fitted on a validation manifest."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import exit_codes, say
from auricle.cli.options import (
    DeviceName,
    FitCandidates,
    FitMetric,
    FitSeed,
    Folds,
    Offline,
    Threads,
    ValidationData,
)
from auricle.cli.progress import Display

if TYPE_CHECKING:
    from auricle.metrics.bootstrap import Interval
    from auricle.pipeline import Captioner
    from auricle.tuning.clips import ClipCandidates
    from auricle.tuning.reliability import Reliability

app = typer.Typer(
    help="Fit the weights that choose a caption, and its confidence, on clips with captions.",
    no_args_is_help=True,
)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A name or folder, as for caption.")]
TunedModel = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Write a tuned copy of the model here.")
]


@app.command()
def rerank(
    model: Model,
    data: ValidationData,
    metric: FitMetric = "cider_d",
    folds: Folds = 5,
    seed: FitSeed = 0,
    candidates: FitCandidates = None,
    output: TunedModel = None,
    device: DeviceName = "auto",
    offline: Offline = False,
    threads: Threads = None,
) -> None:
    """Fit the weights that rank a model's candidates.

    Every clip is decoded once. The fit searches weights of likelihood, similarity, fluency and
    agreement for the best captions, and compares them with the paper's on clips held out from it.
    """
    with exit_codes():
        from auricle.cli.tables import print_table
        from auricle.pipeline import Captioner
        from auricle.tuning.clips import sampling, write_candidates
        from auricle.tuning.rerank import fit_rerank
        from auricle.tuning.results import check_output, write_report
        from auricle.tuning.worth import metric as find_metric

        find_metric(metric)
        if output:
            check_output(output)
        ensemble = Captioner.from_pretrained(model, device=device).ensemble
        options = sampling(ensemble)
        captioner = Captioner(ensemble.with_decoding(options))
        clips = decode_manifest(captioner, data, candidates, seed)
        fit = fit_rerank(clips, metric, folds, seed, own=ensemble.decoding.rerank)
        print_table(
            f"{fit.metric} of {fit.clips} clips",
            ("chosen by", fit.metric, "95 % interval"),
            [(name, *_shown(row)) for name, row in fit.rows.items()],
        )
        typer.echo(fit.verdict)
        weights = asdict(fit.weights)
        typer.echo(f'fitted on all clips: "rerank": {json.dumps(weights)}')
        if output is None:
            say("note", 'put this in "decoding" of config.json, or name an --output folder')
            return
        tuned = ensemble.with_decoding(replace(options, rerank=fit.weights))
        Captioner(tuned).save_pretrained(output)
        write_report(output, "rerank", {"data": str(data), "seed": seed} | fit.to_json())
        write_candidates(output / "tuning.candidates.jsonl", clips)
        typer.echo(str(output))


@app.command()
def confidence(
    model: Model,
    data: ValidationData,
    right: Annotated[
        float,
        typer.Option(
            metavar="COSINE",
            min=0.0,
            max=1.0,
            help="A caption is right from this cosine with its closest reference on, by"
            " all-MiniLM-L6-v2 for every model.",
        ),
    ] = 0.5,
    folds: Folds = 5,
    seed: FitSeed = 0,
    candidates: FitCandidates = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write a calibrated copy of the model here, or into its own."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="The reliability diagram.", show_default="in a new FOLDER"
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Fit nothing: measure the model's own calibration.")
    ] = False,
    device: DeviceName = "auto",
    offline: Offline = False,
    threads: Threads = None,
) -> None:
    """Fit the confidence of captions: a probability from likelihood, similarity and agreement.

    A caption counts as right if one of the clip's references is near it, by --right. The
    reliability of the confidence is measured on clips held out from the fit.
    """
    with exit_codes():
        from auricle.decoding.confidence import save_calibration
        from auricle.errors import ModelError
        from auricle.fetch.names import resolve
        from auricle.pipeline import Captioner
        from auricle.report.plots import draw_reliability
        from auricle.tuning.confidence import fit_confidence, measure_confidence
        from auricle.tuning.results import check_output, is_same, write_report

        if output and not (in_place := is_same(output, resolve(model))):
            check_output(output)
        captioner = Captioner.from_pretrained(model, device=device)
        ensemble = captioner.ensemble
        if check and ensemble.calibration is None:
            raise ModelError(f"{model}: has no calibration to check; fit one without --check")
        clips = decode_manifest(captioner, data, candidates, seed)
        if check and ensemble.calibration:
            found = measure_confidence(clips, ensemble.calibration, seed)
            _show_reliability(found, ensemble.calibration.right)
        else:
            method = ensemble.decoding.method
            fitted, found = fit_confidence(clips, data.name, method, right, folds, seed)
            _show_reliability(found, right)
            typer.echo(f"fitted on all clips: {json.dumps(asdict(fitted))}")
            if output and in_place:
                save_calibration(output, fitted)
            elif output:
                Captioner(replace(ensemble, calibration=fitted)).save_pretrained(output)
                write_report(output, "confidence", asdict(found) | {"verdict": found.verdict})
                plot = plot or output / "reliability.png"
            if output:
                typer.echo(str(output))
        if plot:
            title = f"{model} on {data.stem}" + ("" if check else ", held out")
            draw_reliability(found, title, plot)
            typer.echo(str(plot))


def _show_reliability(found: Reliability, threshold: float) -> None:
    from auricle.cli.tables import print_table

    rows = {"Brier score": found.brier, "… of the base rate": found.base_brier, "AUC": found.auc}
    chance = found.by_chance
    error = f"{found.calibration_error:.3f}", f"by chance {chance.low:.3f} to {chance.high:.3f}"
    print_table(
        f"{found.right_share:.0%} of {found.clips} captions are right (cosine {threshold:g})",
        ("measure", "value", "95 % interval"),
        [*((name, *_shown(row)) for name, row in rows.items()), ("calibration error", *error)],
    )
    print_table(
        "Confidence kept",
        ("confidence", "right", "clips"),
        [(f"{b.confidence:.2f}", f"{b.right:.2f}", str(b.clips)) for b in found.bins],
    )
    typer.echo(found.verdict)


def decode_manifest(
    captioner: Captioner, data: Path, candidates: int | None, seed: int
) -> list[ClipCandidates]:
    """Every clip that can be decoded; the others are named on stderr."""
    from auricle.tuning.clips import decode_clips, read_clips

    with Display() as display:
        clips = read_clips(data, display.note)
        return decode_clips(captioner, clips, candidates=candidates, seed=seed, watch=display.watch)


def _shown(row: Interval) -> tuple[str, str]:
    return f"{row.value:.3f}", f"{row.low:.3f} to {row.high:.3f}"
