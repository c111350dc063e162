"""`auricle train RECIPE`: a recipe to a model folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import exit_codes
from auricle.cli.options import Changes, Offline, RecipeFile, Threads
from auricle.cli.progress import Display

if TYPE_CHECKING:
    from accelerate import Accelerator

    from auricle.training.job import Job
    from auricle.training.monitor import TrainingWatch
    from auricle.training.recipe import Recipe

EPILOG = (
    "Several processes: accelerate launch --num_processes 4 -m auricle train RECIPE. "
    "`auricle recipes list` names the recipes in the package."
)


def train(
    recipe: RecipeFile,
    changes: Changes = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the last checkpoint, if there is one.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check all, measure a few steps, and estimate a run's time and memory.",
        ),
    ] = False,
    offline: Offline = False,
    threads: Threads = None,
) -> None:
    """Train a model from a recipe; the result is a model folder for `auricle caption --model`."""
    with exit_codes():
        with Display(quiet_s=0.0) as display:
            watch = display.training_watch
            if dry_run:
                from auricle.training.dry_run import dry_run as rehearse

                for subject, found in rehearse(
                    recipe, changes or (), prepare=_prepare, watch=watch
                ):
                    typer.echo(f"{subject:<11} {found}")
                return
            from auricle.training.processes import Share
            from auricle.training.run import run_recipe

            out = run_recipe(recipe, changes or (), prepare=_prepare, resume=resume, watch=watch)
        if Share.ours().main:
            typer.echo(str(out))


def _prepare(
    recipe: Recipe, accelerator: Accelerator, watch: TrainingWatch, live: bool = False
) -> Job:
    """The job of a recipe on manifests, or of the embedded model's."""
    if recipe.data is not None:
        from auricle.training.paired_job import paired_job

        return paired_job(recipe, accelerator, watch, live)
    from auricle.tiny.job import tiny_job

    return tiny_job(recipe, accelerator, watch, live)
