"""`auricle data metrics`: the files of SPICE that no package contains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.console import exit_codes, say
from auricle.cli.progress import Display


def metrics(
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="The zip archive, or a folder with its two jars.",
            show_default="downloaded",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where to put them, which AURICLE_CORENLP is then to name.",
            show_default="the cache",
        ),
    ] = None,
) -> None:
    """Fetch Stanford CoreNLP 3.6.0 (0.5 GB, GPL), SPICE's parser.

    An interrupted download resumes. Without these files, `auricle evaluate` reports spice-py
    instead of SPICE, under that name.
    """
    with exit_codes():
        import os

        from auricle.metrics.spice import stanford

        chosen = os.environ.get(stanford.FOLDER)
        if folder:
            os.environ[stanford.FOLDER] = str(folder.absolute())
        with Display(in_bytes=True) as display:
            place, new = stanford.install(source, display.progress)
        say("written" if new else "note", f"{place}" + ("" if new else ": all is there"))
        if folder and chosen != str(place):
            say("note", f"set {stanford.FOLDER}={place}")
