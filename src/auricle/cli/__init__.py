"""The command line, `auricle`: only it writes to the terminal and sets exit codes."""

from __future__ import annotations

from typing import Annotated

import typer

from auricle.cli import (
    batch,
    caption,
    compare,
    data,
    data_metrics,
    ensemble,
    evaluate,
    import_,
    index,
    ledger,
    listen,
    mixup,
    models,
    plot,
    precompute,
    recipes,
    search,
    serve,
    tag,
    timeline,
    train,
    tune,
)
from auricle.cli.console import Commands, end_without_collection, quiet_libraries, use_utf8
from auricle.processors import share

app = typer.Typer(
    name="auricle",
    cls=Commands,
    help="Automated audio captioning: describes the sounds of a recording in one sentence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain messages, and --help does not load rich
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("caption", epilog=caption.EPILOG, no_args_is_help=False)(caption.caption)
app.command("timeline", epilog=timeline.EPILOG, no_args_is_help=False)(timeline.timeline)
app.command("batch", epilog=batch.EPILOG)(batch.batch)
app.command("plot")(plot.plot)
app.command("tag", epilog=tag.EPILOG)(tag.tag)
app.command("ledger")(ledger.ledger)
app.command("listen", epilog=listen.EPILOG)(listen.listen)
app.command("serve", epilog=serve.EPILOG)(serve.serve)
app.command("index", epilog=index.EPILOG, no_args_is_help=False)(index.index)
app.command("search", epilog=search.EPILOG, no_args_is_help=False)(search.search)
app.command("import")(import_.import_)
app.command("train", epilog=train.EPILOG)(train.train)
app.command("precompute", epilog=precompute.EPILOG)(precompute.precompute)
app.command("evaluate", epilog=evaluate.EPILOG)(evaluate.evaluate)
app.command("compare", epilog=compare.EPILOG)(compare.compare)
app.add_typer(models.app, name="models")
app.add_typer(recipes.app, name="recipes")
data.app.command("metrics")(data_metrics.metrics)
app.add_typer(data.app, name="data")
app.add_typer(mixup.app, name="mixup")
app.add_typer(tune.app, name="tune")
app.add_typer(ensemble.app, name="ensemble")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"auricle {version('auricle')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the command `auricle`."""
    use_utf8()
    quiet_libraries()
    share()
    end_without_collection()
    app()
