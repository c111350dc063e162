"""`auricle precompute RECIPE`: features and caption embeddings, before a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.console import SOME_FAILED, exit_codes
from auricle.cli.options import Changes, Offline, RecipeFile, Threads
from auricle.cli.progress import Display
from auricle.processors import usable

EPILOG = (
    "Values in the cache are not computed again: an interrupted run continues, and several at a "
    "time share the work."
)


def precompute(
    recipe: RecipeFile,
    changes: Changes = None,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="First take what an `auricle batch --task features` has computed.",
            show_default=False,
        ),
    ] = None,
    offline: Offline = False,
    threads: Threads = None,
    processes: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=1024, help="Processes that share the work."),
    ] = 1,
) -> None:
    """Fill the cache of `auricle train` for a recipe, without training."""
    with exit_codes():
        from auricle.training.processes import Share, launch
        from auricle.training.run import precompute_recipe

        if processes > 1:
            flags = ["--offline"] if offline else []
            flags += ["--features", str(features)] if features else []
            each = max(1, (threads or usable()) // processes)
            command = ["precompute", str(recipe), *(changes or ()), *flags]
            raise typer.Exit(launch(command, processes, each))
        with Display(quiet_s=0.0) as display:
            found = precompute_recipe(recipe, changes or (), features, watch=display.training_watch)
        if not Share.ours().main:
            return
        for name, counts in found.items():
            typer.echo(
                f"{name:<20} {counts.done} computed, {counts.reused} there already,"
                f" {counts.failed} failed"
            )
        if any(counts.failed for counts in found.values()):
            raise typer.Exit(SOME_FAILED)
