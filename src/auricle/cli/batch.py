"""`auricle batch INPUT --output DIR`: millions of recordings, by all processors or a cluster."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import SOME_FAILED, exit_codes
from auricle.cli.loading import ModelChoices
from auricle.cli.options import BatchSize, DecodingChoices, spread
from auricle.cli.progress import Display, duration, short, size
from auricle.processors import there

if TYPE_CHECKING:
    from auricle.batch.job import Engine, JobSpec

EPILOG = (
    "Exit status: 0 all is done; 1 some recording failed, or the output cannot be written; 2 wrong"
    " use; 130 after Ctrl-C and 143 after SIGTERM, with all that is committed kept. See"
    " docs/batch.md."
)


class BatchTask(StrEnum):
    caption = "caption"
    timeline = "timeline"
    features = "features"
    embed = "embed"


class ShardFormat(StrEnum):
    parquet = "parquet"
    jsonl = "jsonl"


class EngineName(StrEnum):
    local = "local"
    ray = "ray"


@spread
def batch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A folder, a manifest, tars of WebDataset, Parquet with paths or bytes; or an"
            " address of these: s3://…, gs://….",
        ),
    ],
    *,
    output: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder of the shards."),
    ],
    task: Annotated[
        BatchTask,
        typer.Option(
            help="caption; timeline: many captions of each; features: for `auricle precompute`;"
            " embed: for `auricle index`."
        ),
    ] = BatchTask.caption,
    format: Annotated[ShardFormat, typer.Option(help="Of the shards.")] = ShardFormat.parquet,
    engine: Annotated[
        EngineName, typer.Option(help="local: processes of this machine; ray: a cluster.")
    ] = EngineName.local,
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="A",
            help="Of a running Ray cluster; auto on one of its nodes.",
            show_default="RAY_ADDRESS, or a Ray of this machine",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Models at work.", show_default="processors / threads"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what DIR has begun.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: do again what failed.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Do so many in this run.", show_default="all"),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Measure a sample; say the hours, bytes and money of all."),
    ] = False,
    price: Annotated[
        float | None,
        typer.Option(
            metavar="P", min=0.0, help="Of a worker's hour, for --dry-run.", show_default=False
        ),
    ] = None,
    chunk_size: Annotated[
        int, typer.Option(metavar="N", min=1, help="Recordings that are committed at once.")
    ] = 64,
    timeout: Annotated[
        float,
        typer.Option(metavar="S", min=1.0, help="A worker that is silent for so long is replaced."),
    ] = 300.0,
    choices: DecodingChoices,
    using: ModelChoices,
    batch_size: BatchSize = 8,
) -> None:
    """Caption millions of recordings; whatever ends it, --resume goes on, and each is done once."""
    with exit_codes():
        from auricle.batch.inputs import items_of
        from auricle.batch.local import run_local
        from auricle.batch.run import BatchWatch, run_batch

        if retry_failed and not resume:
            raise typer.BadParameter("give --resume, too.", param_hint="'--retry-failed'")
        job = _job(output, task, format, choices, using, batch_size)
        here = workers or max(1, there() // (using.threads or 1))
        run: Engine = partial(run_local, workers=here, timeout_s=timeout)
        if engine is EngineName.ray:
            from auricle.batch.ray_engine import run_ray

            run = partial(run_ray, workers=workers, timeout_s=timeout, address=ray_address)
        if dry_run:
            _estimate(job, source, run, here, price)
            return
        with Display() as display:
            found = run_batch(
                job,
                items_of(source),
                run,
                resume=resume,
                retry_failed=retry_failed,
                limit=limit,
                chunk=chunk_size,
                watch=BatchWatch(display.note, display.progress),
            )
            display.note(f"{found}; in {output}")
    if found.failed:
        raise typer.Exit(SOME_FAILED)


def _estimate(job: JobSpec, source: str, engine: Engine, workers: int, price: float | None) -> None:
    from auricle.batch.estimate import estimate
    from auricle.batch.inputs import items_of
    from auricle.batch.run import BatchWatch

    with Display() as display:
        watch = BatchWatch(display.note, display.progress)
        found = estimate(job, items_of(source), engine, workers, watch)
    lines = [f"{found.total:,} recordings, {found.left:,} of them to do"]
    if found.sampled:
        lines += [
            f"measured: {short(found.workers / found.each_s)}/s by {found.workers}"
            f" worker{'s' * (found.workers > 1)}, of"
            f" {found.sampled} recordings of {short(found.audio_s)} s; {found.failed} failed",
            f"time: {duration(found.hours * 3600)}; {short(found.worker_s / 3600)} worker-hours",
            f"shards: {size(found.size)}",
        ]
        if price is not None:
            lines.append(f"money: {short(found.money(price))} at {price:g} per worker-hour")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _job(
    output: Path,
    task: BatchTask,
    format: ShardFormat,
    choices: DecodingChoices,
    using: ModelChoices,
    batch_size: int,
) -> JobSpec:
    from auricle.batch.job import JobSpec
    from auricle.fetch.identity import model_digest

    model = os.path.abspath(using.model) if Path(using.model).is_dir() else using.model  # noqa: PTH100
    return JobSpec(
        os.path.abspath(output),  # noqa: PTH100
        task.value,
        model,
        model_digest(using.model),
        {**choices.settings, "seed": using.seed},
        using.precision.value,
        format.value,
        using.device,
        batch_size,
        using.threads or 1,
    )
