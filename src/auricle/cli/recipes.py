"""`auricle recipes`: the training recipes in the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.console import exit_codes
from auricle.cli.options import recipe_completions

app = typer.Typer(help="List, show and copy the recipes of `auricle train`.", no_args_is_help=True)

RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="See `auricle recipes list`.", autocompletion=recipe_completions
    ),
]


@app.command("list")
def list_recipes() -> None:
    """List names for `auricle train`; those in ablations are laid over another recipe."""
    with exit_codes():
        from auricle.recipes import about, recipe_names

        for name in recipe_names():
            typer.echo(f"{name}\t{about(name)}")


@app.command()
def show(name: RecipeName) -> None:
    """Show the file of a recipe."""
    with exit_codes():
        from auricle.recipes import packaged_file

        typer.echo(packaged_file(name).read_text(encoding="utf-8"), nl=False)


@app.command()
def copy(
    name: RecipeName,
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Results then go to runs beside it.")
    ] = Path("recipes"),
) -> None:
    """Copy a recipe to change it, with the files that it builds on; overwrites none."""
    with exit_codes():
        from auricle.recipes import copy_recipe

        for path in copy_recipe(name, folder):
            typer.echo(path)
