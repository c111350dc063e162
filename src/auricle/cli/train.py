"""`auricle train RECIPE`: a model folder from a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.console import exit_codes

EPILOG = (
    "Several processes: accelerate launch --num_processes 4 -m auricle train RECIPE. "
    "RECIPE is a TOML file; recipes/README.md lists the existing ones."
)


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML file of the run.")],
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHANGE]...",
            help="Changed values, such as training.epochs=5, or further TOML files.",
        ),
    ] = None,
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
) -> None:
    """Train a model from a recipe; the result is a model folder for `auricle caption --model`."""
    with exit_codes():
        from auricle.cli.progress import TrainingProgress

        with TrainingProgress() as watch:
            if dry_run:
                from auricle.training.dry_run import dry_run as rehearse

                for subject, found in rehearse(recipe, changes or (), watch):
                    typer.echo(f"{subject:<11} {found}")
                return
            from auricle.training.run import run_recipe

            out = run_recipe(recipe, changes or (), resume=resume, watch=watch)
        typer.echo(str(out))
