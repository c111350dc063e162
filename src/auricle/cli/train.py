"""`auricle train RECIPE`: a recipe becomes a model folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import exit_codes, say

if TYPE_CHECKING:
    from auricle.training.loop import Progress

REPORT_EVERY = 100  # steps


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML file of the run.")],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Changed values: training.steps=100."),
    ] = None,
) -> None:
    """Train a model by a recipe; a run that was stopped goes on where it was."""
    with exit_codes():
        from auricle.training.recipe import run_recipe

        out = run_recipe(recipe, changes or (), _report(), lambda text: say("note", text))
        typer.echo(str(out))


def _report() -> Callable[[Progress], None]:
    """Says on stderr, every hundred steps, what the losses have been since."""
    sums: dict[str, float] = {}

    def report(progress: Progress) -> None:
        for name, loss in progress.losses.items():
            sums[name] = sums.get(name, 0.0) + loss
        if progress.step % REPORT_EVERY == 0:
            means = "  ".join(f"{name} {loss / REPORT_EVERY:.3f}" for name, loss in sums.items())
            say("note", f"step {progress.step}  {means}")
            sums.clear()

    return report
