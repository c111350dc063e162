"""`auricle index FOLDER...`: recordings that are found by words; and copies among them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import SOME_FAILED, exit_codes
from auricle.cli.loading import ModelChoices
from auricle.cli.options import BatchSize, spread
from auricle.cli.progress import Display
from auricle.errors import AuricleError, DataError
from auricle.printable import printable, printable_json

if TYPE_CHECKING:
    from auricle.search.duplicates import Copy
    from auricle.search.hear import Listener

EPILOG = (
    "Exit status: 0 all is indexed; 1 some recording cannot be heard, each named with the reason on"
    " stderr; 2 wrong use; 130 after Ctrl-C and 143 after SIGTERM, with all that was heard written."
)


def _default_folder() -> Path:
    from auricle.search.place import default_folder

    return default_folder()


MAP = "map.html"


class IndexFormat(StrEnum):
    text = "text"
    jsonl = "jsonl"


IndexFolder = Annotated[
    Path,
    typer.Option(
        "--index",
        metavar="DIR",
        help="The folder of the index.",
        default_factory=_default_folder,
        show_default="~/.cache/auricle/index",
    ),
]


@spread
def index(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folders of recordings, at any depth; they are remembered.",
            show_default="all that were indexed before",
        ),
    ] = None,
    *,
    place: IndexFolder,
    using: ModelChoices,
    batch_size: BatchSize = 8,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Hear again what could not be heard.")
    ] = False,
    batch: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Take what an `auricle batch --task embed` has heard.",
            show_default=False,
        ),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the index anew, for another model.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Erase FOLDER and what is below it from the index.")
    ] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="List what could not be heard, and why.")
    ] = False,
    duplicates: Annotated[
        bool,
        typer.Option(
            "--duplicates", help="List copies: the same, re-encoded, trimmed, or of another level."
        ),
    ] = False,
    near: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=100,
            help="Write a page, map.html in the index, with a map and the N most like each sound.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        IndexFormat, typer.Option(help="Of --failed and --duplicates.")
    ] = IndexFormat.text,
) -> None:
    """Index folders of recordings, so that `auricle search` finds their sounds by words.

    Only what is new or changed is heard; what was moved is known by its content. Run it again at
    any time, also after it was ended.
    """
    with exit_codes():
        asked = {"--forget": forget, "--failed": failed, "--duplicates": duplicates}
        asked |= {"--near": near is not None, "--from": batch is not None}
        _refuse_several([*[name for name, given in asked.items() if given]], rebuild)
        paths = [os.path.abspath(one) for one in folders or ()]  # noqa: PTH100  (keeps links apart)
        if failed:
            _list_failed(place, paths, format)
        elif duplicates:
            _list_duplicates(place, format)
        elif near is not None:
            _write_map(place, near)
        elif batch is not None:
            _take(place, batch)
        elif forget:
            _forget(place, paths)
        else:
            _update(place, paths, using, batch_size, retry_failed, rebuild)


def _update(
    place: Path,
    paths: Sequence[str],
    using: ModelChoices,
    batch_size: int,
    retry_failed: bool,
    rebuild: bool,
) -> None:
    from auricle.audio.isolated import Decoders
    from auricle.fetch.identity import model_digest
    from auricle.search.indexer import Indexer
    from auricle.search.place import erase
    from auricle.search.rows import Maker
    from auricle.search.store import Index

    for path in paths:
        if not Path(path).is_dir() and not _is_known(place, path):
            raise DataError(f"{path}: no such folder; check the path")
    name = os.path.abspath(using.model) if Path(using.model).is_dir() else using.model  # noqa: PTH100
    maker = Maker(name, model_digest(using.model))
    if rebuild:
        paths = [*paths, *[one for one in _known_folders(place) if one not in paths]]
        erase(place)

    def start() -> Listener:
        from auricle.search.hear import Listener

        captioner = using.load()
        return Listener(
            captioner,
            captioner.decoding(seed=using.seed),
            batch_size,
            lambda path: decoders.source(Path(path), path),
        )

    with (
        Display() as display,
        Decoders() as decoders,  # a codec that crashes loses its recording alone
        Index(place, maker, display.note) as opened,
    ):
        for path in paths:
            opened.remember(path)
        everything = paths or opened.folders()
        if not everything:
            raise DataError(f"{place}: no folder is indexed yet; give one: auricle index FOLDER")
        indexer = Indexer(
            opened,
            start,
            retry_failed,
            display.note,
            lambda path, reason: display.error(f"{printable(path)}: {reason}"),
            display.progress,
        )
        with contextlib.redirect_stdout(sys.stderr):  # in case a library prints
            summary = indexer.update(everything)
        display.note(f"{summary}; index: {place}")
        if summary.left:
            display.note("--retry-failed tries again what failed; reasons: auricle index --failed")
    if summary.failed:
        raise typer.Exit(SOME_FAILED)


def _take(place: Path, batch: Path) -> None:
    from auricle.search.rows import Maker
    from auricle.search.store import Index
    from auricle.search.taken import take_batch
    from auricle.shards import job_of

    job = job_of(batch, "embed")
    with (
        Display() as display,
        Index(place, Maker(job["model"], job["digest"]), display.note) as opened,
    ):
        summary = take_batch(opened, batch, display.progress)
        display.note(f"{summary}; index: {place}")
    if summary.failed:
        raise typer.Exit(SOME_FAILED)


def _refuse_several(asked: Sequence[str], rebuild: bool) -> None:
    asked = [*asked, *["--rebuild"] * rebuild]
    if len(asked) > 1:
        raise typer.BadParameter(f"give one of {' and '.join(asked)}.", param_hint=f"'{asked[1]}'")


def _is_known(place: Path, path: str) -> bool:
    return path in _known_folders(place)


def _known_folders(place: Path) -> list[str]:
    """The folders of an index, if it can tell them."""
    from auricle.search.store import Index

    with contextlib.suppress(AuricleError), Index(place) as opened:
        return opened.folders()
    return []


def _forget(place: Path, paths: Sequence[str]) -> None:
    from auricle.search.rows import Maker
    from auricle.search.store import Index

    if not paths:
        raise typer.BadParameter("name the folders to forget.", param_hint="'--forget'")
    with Index(place) as opened:
        maker = Maker(opened.model, opened.digest)
    with Display() as display, Index(place, maker, display.note) as opened:
        for path in paths:
            files = [one.audio for one in opened.files(path)]
            if not files and path not in opened.folders():
                raise DataError(f"{path}: nothing of it is in the index; check the path")
            opened.forget(path)
            opened.remove(files)
            display.note(f"{printable(path)}: {len(files):,} files are forgotten")
        opened.save_vectors()


def _list_failed(place: Path, paths: Sequence[str], format: IndexFormat) -> None:
    from auricle.search.store import Index

    folders: Sequence[str | None] = paths or [None]
    with Index(place) as opened:
        for one in chain.from_iterable(opened.files(folder) for folder in folders):
            if one.reason:
                _write({"audio": one.audio, "reason": one.reason}, format)
    sys.stdout.flush()


def _list_duplicates(place: Path, format: IndexFormat) -> None:
    """Groups of copies: in text, a blank line between them."""
    from auricle.search.duplicates import find_copies
    from auricle.search.store import Index

    with Display() as display, Index(place) as opened:
        groups = find_copies(opened, display.progress)
    for number, group in enumerate(groups):
        if format is IndexFormat.text and number:
            sys.stdout.write("\n")
        for one in group:
            _write(_copy_record(number + 1, one), format)
    sys.stdout.flush()


def _write_map(place: Path, near: int) -> None:
    from auricle.search.map import write_map
    from auricle.search.store import Index

    page = place / MAP
    with Display() as display, Index(place, None, display.note) as opened:
        number = write_map(opened, page, near)
        display.note(f"{number:,} recordings on the map; open it in a browser")
    sys.stdout.write(f"{printable(str(page))}\n")
    sys.stdout.flush()


def _copy_record(number: int, one: Copy) -> dict[str, object]:
    differs = one.difference and round(one.difference, 3)
    return {"group": number, "audio": one.audio, "kind": one.kind, "difference": differs}


def _write(record: dict[str, object], format: IndexFormat) -> None:
    if format is IndexFormat.jsonl:
        sys.stdout.write(f"{printable_json(json.dumps(record, ensure_ascii=False))}\n")
        return
    values = (value for name, value in record.items() if name != "group")
    told = ("" if value is None else str(value) for value in values)
    sys.stdout.write("\t".join(map(printable, told)) + "\n")
