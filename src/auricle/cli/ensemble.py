"""`auricle ensemble fit A B ...`: models that caption together, in one folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import exit_codes
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
    from auricle.tuning.ensemble import EnsembleFit

app = typer.Typer(
    help="Combine models into an ensemble, which is a model folder too.", no_args_is_help=True
)


class Pool(StrEnum):
    candidates = "candidates"
    tokens = "tokens"


class Weighting(StrEnum):
    fitted = "fitted"
    mean = "mean"


@app.callback()
def ensemble() -> None:
    """Combine models into an ensemble, which is a model folder too."""


@app.command()
def fit(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL", help="Two or more names or folders.")
    ],
    data: ValidationData,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="A new folder, for the ensemble and its report.")
    ],
    pool: Annotated[
        Pool,
        typer.Option(
            help="candidates: every model proposes captions and scores all. tokens: they choose"
            " every token together; they must share a tokenizer."
        ),
    ] = Pool.candidates,
    weights: Annotated[
        Weighting, typer.Option(help="Fit each model's share, or give all the same.")
    ] = Weighting.fitted,
    metric: FitMetric = "cider_d",
    folds: Folds = 5,
    seed: FitSeed = 0,
    candidates: FitCandidates = None,
    device: DeviceName = "auto",
    offline: Offline = False,
    threads: Threads = None,
) -> None:
    """Combine models, and measure whether the ensemble is better than each alone.

    Each model decodes every clip, and so do all together. The fit searches the models' shares in
    likelihood and similarity for the best captions, and measures them on clips held out from the
    fit. With --pool tokens, each clip takes up to 11 decodes, one for each point of a coarse grid
    of shares. All models use the decoding settings of the first.
    """
    with exit_codes():
        from auricle.hub.ensemble import assemble
        from auricle.model.device import pick_device
        from auricle.pipeline import Captioner
        from auricle.tuning.clips import read_clips
        from auricle.tuning.ensemble import finished, fit_ensemble
        from auricle.tuning.panel import Panel
        from auricle.tuning.results import check_output, write_report
        from auricle.tuning.worth import metric as find_metric

        find_metric(metric)
        check_output(output)
        parts = assemble(output.name, models, pool.value, pick_device(device))
        captioner = Captioner(parts)
        panel = Panel(captioner)
        with Display() as display:
            clips = read_clips(data, display.note)
            heard = panel.hear(clips, candidates=candidates, seed=seed, watch=display.watch)
        found = fit_ensemble(
            heard,
            panel,
            fitted=weights == Weighting.fitted,
            metric_name=metric,
            fold_count=folds,
            seed=seed,
        )
        show(found)
        decoding = captioner.decoding(candidates=candidates)
        ensemble = finished(parts, found, decoding.options)
        Captioner(ensemble).save_pretrained(output)
        write_report(output, "ensemble", {"data": str(data), "seed": seed} | found.to_json())
        typer.echo(str(output))


def show(found: EnsembleFit) -> None:
    from auricle.cli.tables import print_table

    print_table(
        f"{found.metric} of {found.clips} clips",
        ("captions by", found.metric, "95 % interval"),
        [
            (name, f"{row.value:.3f}", f"{row.low:.3f} to {row.high:.3f}")
            for name, row in found.rows.items()
        ],
    )
    for verdict in found.verdicts():
        typer.echo(verdict)
    print_table(
        "shares, fitted on all clips" if found.fitted else "shares",
        ("member", "likelihood", "similarity"),
        [
            (name, f"{likelihood:.2f}", f"{similarity:.2f}")
            for name, likelihood, similarity in zip(
                found.members, found.weights.likelihood, found.weights.similarity, strict=True
            )
        ],
    )
