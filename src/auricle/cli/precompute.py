"""`auricle precompute RECIPE`: features and caption embeddings, before a training run."""

from __future__ import annotations

import typer

from auricle.cli.console import SOME_FAILED, exit_codes
from auricle.cli.options import Changes, Offline, RecipeFile, Threads
from auricle.cli.progress import Display

EPILOG = "Values in the cache are not computed again: an interrupted run continues."


def precompute(
    recipe: RecipeFile,
    changes: Changes = None,
    offline: Offline = False,
    threads: Threads = None,
) -> None:
    """Fill the cache of `auricle train` for a recipe, without training."""
    with exit_codes():
        from auricle.training.run import precompute_recipe

        with Display(quiet_s=0.0) as display:
            found = precompute_recipe(recipe, changes or (), watch=display.training_watch)
        for name, counts in found.items():
            typer.echo(
                f"{name:<20} {counts.done} computed, {counts.reused} there already,"
                f" {counts.failed} failed"
            )
        if any(counts.failed for counts in found.values()):
            raise typer.Exit(SOME_FAILED)
