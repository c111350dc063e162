"""Folders at scale: the options and messages of commands that write a sidecar per recording."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, TextIO

import typer

from auricle.audio.find import Input
from auricle.cli.console import say
from auricle.cli.inputs import failure
from auricle.cli.progress import Display
from auricle.errors import AudioError
from auricle.files import listed
from auricle.jobs import Batch, Doing, Examined, Job, Why
from auricle.ledger import NAME, Ledger, Work, alone
from auricle.printable import printable
from auricle.sidecars import Sidecars

NEEDS_FOLDER = (
    "needs a sidecar per recording: --output with an existing folder or a name that ends in /, or"
    " --sidecar."
)


@dataclass(frozen=True)
class FolderChoices:
    """Where results go, and what is done with those that are there."""

    output: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Write to this file, each result when it is finished. An existing folder, or a"
            " name that ends in /, gets a sidecar per recording: DIR/dogs/rex.wav.jsonl.",
            show_default="stdout",
        ),
    ] = None
    sidecar: Annotated[
        bool, typer.Option("--sidecar", help="Write beside each recording: rex.wav.jsonl.")
    ] = False
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what FILE or DIR holds.")
    ] = False
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Skip the recordings that are done with this model and these settings.",
        ),
    ] = False
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: try again what failed.")
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done with each recording.")
    ] = False
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What was done, for --resume; see `auricle ledger`.",
            show_default=f"{NAME} in DIR, or in the folder of all recordings",
        ),
    ] = None

    @property
    def folder(self) -> Path | None:
        """The folder of --output, if it is one."""
        separators = tuple(filter(None, (os.sep, os.altsep, "/")))
        text = self.output or ""
        return Path(text) if text.endswith(separators) or (text and Path(text).is_dir()) else None

    @property
    def file(self) -> Path | None:
        """The file of --output, if it is one."""
        return Path(self.output) if self.output and not self.folder else None

    @property
    def per_recording(self) -> bool:
        return self.sidecar or self.folder is not None

    def check(self) -> None:
        """Refuse choices that do not go together."""
        if self.sidecar and self.output:
            raise typer.BadParameter(
                "a sidecar is beside its recording; leave out --output.", param_hint="'--sidecar'"
            )
        for name in ("resume", "retry_failed", "dry_run", "ledger"):
            if getattr(self, name) and not self.per_recording:
                raise typer.BadParameter(NEEDS_FOLDER, param_hint=f"'--{name.replace('_', '-')}'")
        if self.resume and self.overwrite:
            raise typer.BadParameter(
                "--overwrite does all again, --resume what is left; give one of them.",
                param_hint="'--resume'",
            )
        if self.retry_failed and not self.resume:
            raise typer.BadParameter("give --resume, too.", param_hint="'--retry-failed'")


def write_sidecars(
    inputs: Sequence[Input], choices: FolderChoices, job: Job, stdout: TextIO
) -> int:
    """Do ``job`` with ``inputs`` and write sidecars for each; return the recordings without one.

    The model is loaded only if something is to be done. Inputs with an error have been reported.

    Raises:
        AuricleError: the ledger, the folder or the model cannot be used.
        typer.BadParameter: there are results or other files in the way.
    """
    from auricle.fetch.identity import model_digest

    inputs = list(_with_files(inputs))
    found = [one for one in inputs if not one.error]
    failed = len(inputs) - len(found)
    if not found:
        return failed
    settings = {"command": job.command, "formats": list(job.formats), **job.settings}
    work = Work(job.model, model_digest(job.model), json.dumps(settings, sort_keys=True))
    root = _root(found)
    path = Path(os.path.abspath(choices.ledger or (choices.folder or Path(root)) / NAME))  # noqa: PTH100
    token = blake2b(os.fsencode(path), digest_size=4).hexdigest()
    with _opened(path, choices.dry_run) as ledger, Display() as display:
        sidecars = Sidecars(job.formats, choices.folder, root, token)
        batch = Batch(job.command, ledger.work(work), ledger, sidecars)
        examined = []
        for one in batch.examine(found, choices.overwrite, choices.retry_failed):
            examined.append(one)
            display.progress("looking through recordings", len(examined), len(found))
        _refuse(examined, choices, path)
        if choices.dry_run:
            for one in examined:
                stdout.write(f"{one.why.name}\t{printable(one.one.name)}\n")
            stdout.flush()
        counts = Counter(one.why for one in examined)
        for why in Why:
            if counts[why] and (why is not Why.new or choices.dry_run):
                display.note(f"{counts[why]:,} {'are new' if why is Why.new else why.value}")
        if counts[Why.failed]:
            display.note(f"--retry-failed tries again what failed; reasons: auricle ledger {path}")
        failed += counts[Why.failed]
        todo = [one.one for one in examined if not one.why.is_left]
        if choices.dry_run or not todo:
            return failed
        now_failed = _run(batch, todo, len(found), job.start(), display)
        display.note(f"{len(todo) - now_failed:,} done, {now_failed:,} failed; ledger: {path}")
    return failed + now_failed


def _run(batch: Batch, todo: Sequence[Input], total: int, work: Doing, display: Display) -> int:
    """Do ``todo``, of ``total`` recordings; return how many failed."""
    failed, before = 0, total - len(todo)
    display.progress("recordings", before, total)
    for done, (one, outcome) in enumerate(batch.run(todo, work), before + 1):
        if outcome.note:
            display.note(outcome.note)
        if outcome.error:
            failed += 1
            display.error(failure(one, outcome.error))
        display.progress("recordings", done, total, f"{failed:,} failed" if failed else "")
    return failed


def _with_files(inputs: Sequence[Input]) -> Iterator[Input]:
    """``inputs``; those without a file get an error, which is reported."""
    for one in inputs:
        if not one.error and (one.path is None or one.path.is_fifo()):
            reason = "no file, so there is no place for a sidecar; save the recording first"
            one = replace(one, error=AudioError(f"{one.name}: {reason}"))
            say("error", failure(one, one.error))
        yield one


def _root(found: Sequence[Input]) -> str:
    """The folder that all recordings share."""
    roots = [os.path.abspath(root) for root in {one.root for one in found} if root]  # noqa: PTH100
    try:
        return os.path.commonpath(roots)
    except ValueError:  # several drives
        return roots[0]


@contextlib.contextmanager
def _opened(path: Path, dry_run: bool) -> Iterator[Ledger]:
    """The ledger of a run, which is alone with it; for a dry run, as it is, and only to read."""
    if dry_run:
        with Ledger(path if path.exists() and path.stat().st_size else None) as ledger:
            yield ledger
    else:
        with alone(path), Ledger(path, writable=True) as ledger:
            yield ledger


def _refuse(examined: Sequence[Examined], choices: FolderChoices, path: Path) -> None:
    """Refuse to replace results without being told to, and files that are not ours."""
    hint = "'--sidecar'" if choices.sidecar else "'--output'"
    before = sum(one.why not in (Why.new, Why.interrupted) for one in examined)
    if before and not (choices.resume or choices.overwrite or choices.dry_run):
        raise typer.BadParameter(
            f"{before:,} of these recordings are in {printable(str(path))} already; do the others"
            " with --resume, or all again with --overwrite.",
            param_hint=hint,
        )
    blocked = [one.blocked for one in examined if one.blocked]
    recordings = {os.path.abspath(one.one.name) for one in examined} if blocked else set()  # noqa: PTH100
    if lost := [name for name in blocked if name in recordings]:
        raise typer.BadParameter(f"{listed(lost)}: recordings, no sidecars.", param_hint=hint)
    if blocked and not choices.overwrite:
        raise typer.BadParameter(
            f"{listed(blocked, most=3, letters=200)}: there already, but not in the ledger; move"
            " them away, or replace them with --overwrite.",
            param_hint=hint,
        )
