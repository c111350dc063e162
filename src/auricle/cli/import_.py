"""`auricle import FOLDER OUT`: checkpoints in the published format -> model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.console import exit_codes, say


def import_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Holds model_config.json, weights …")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Model folder to write.")],
    published_behaviour: Annotated[
        bool, typer.Option("--published-behaviour", help="Pad batches as the published code does.")
    ] = False,
) -> None:
    """Turn a checkpoint in the published format into a model folder."""
    with exit_codes():
        from auricle.errors import ModelError
        from auricle.hub import load_published
        from auricle.hub.folder import Bundle, save_bundle
        from auricle.text.tokenizer import CaptionTokenizer

        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ModelError(f"{out}: exists and is not empty; name a new folder")
        model = load_published(folder, published_behaviour=published_behaviour)
        try:
            tokenizer = CaptionTokenizer.load(folder)
        except ModelError as error:
            tokenizer = None
            say("note", f"{error}; {out} needs it before it can caption")
        save_bundle(out, Bundle(out.name, model, tokenizer))
        typer.echo(str(out))
