"""`auricle serve`: captions over HTTP, and the page."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import Stopped, exit_codes, say, stopping
from auricle.cli.loading import ModelChoices
from auricle.cli.options import (
    DeviceName,
    Offline,
    Precision,
    PrecisionName,
    Threads,
    model_names,
)
from auricle.errors import DataError, MissingDependencyError
from auricle.extras import install_command
from auricle.files import opened

if TYPE_CHECKING:
    from auricle.pipeline import Captioner

EPILOG = (
    "SIGTERM or Ctrl-C: no new requests are taken, those that run are answered, unfinished jobs go"
    " on at the next start; exit status 0. See docs/service.md."
)
LEAST_KEY = 16  # characters
MOST_KEYS = 2**20  # bytes of a file of keys


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FOLDER",
            help="See `auricle models list`; repeat it for more, the first is the default.",
            show_default="tiny",
            autocompletion=model_names,
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(metavar="F", help="A key per line; a request must bring one of them."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Of jobs, which survive a restart.", show_default="the cache's"
        ),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Of `auricle index`: its sounds can be searched, and its files had."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name that a proxy before the service has.",
        ),
    ] = None,
    frame_ancestor: Annotated[
        str | None,
        typer.Option(metavar="ORIGIN", help="A site that may show the page in a frame."),
    ] = None,
    device: DeviceName = "auto",
    precision: PrecisionName = Precision.float32,
    threads: Threads = None,
    offline: Offline = False,
    batch_size: Annotated[
        int, typer.Option(metavar="N", min=1, max=1024, help="Recordings that are heard together.")
    ] = 16,
    max_queue: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Recordings that may wait; more get status 429."),
    ] = 512,
    max_upload: Annotated[
        float, typer.Option(metavar="MB", min=0.001, help="Size of a request.")
    ] = 1024.0,
    max_duration: Annotated[
        float,
        typer.Option(
            metavar="S",
            min=1.0,
            help="Length of a recording that is answered at once; not of jobs.",
        ),
    ] = 14400.0,
    decoder_memory: Annotated[
        int, typer.Option(metavar="MB", min=128, help="Of the process that decodes a recording.")
    ] = 1024,
    decoder_time: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="That decoding a recording may take.")
    ] = 120.0,
    keep: Annotated[
        float, typer.Option(metavar="HOURS", min=0.001, help="Keep the results of jobs so long.")
    ] = 24.0,
) -> None:
    """Serve captions, timelines, jobs and search over HTTP, to OpenAI's clients, too, and a page.

    Listens on this machine alone unless --host says otherwise.
    """
    with exit_codes():
        names = list(dict.fromkeys(model or ["tiny"]))
        _require()
        from auricle.serve.config import ServiceConfig, default_data
        from auricle.serve.run import address_of, listening, log_to, server_of
        from auricle.serve.service import Service
        from auricle.serve.sounds import Sounds

        config = ServiceConfig(
            host=host,
            port=port,
            api_keys=read_keys(api_key_file) if api_key_file else (),
            hosts=tuple(name.lower() for name in allow_host or ()),
            frame_ancestor=frame_ancestor,
            batch_size=batch_size,
            max_queue=max_queue,
            max_upload_mb=max_upload,
            max_duration_s=max_duration,
            decoder_memory_mb=decoder_memory,
            decoder_s=decoder_time,
            keep_s=keep * 3600,
            data=data or default_data(),
        )
        if not (config.is_local or config.api_keys):
            say("warning", f"{host}: other machines can use this service; see --api-key-file")
        with contextlib.ExitStack() as stack:  # in this order: loading takes longer than to fail
            listener = stack.enter_context(listening(host, port))
            sounds = stack.enter_context(Sounds(index)) if index else None
            captioners: dict[str, Captioner] = {}
            for name in names:
                using = ModelChoices(
                    model=name, device=device, offline=offline, threads=threads, precision=precision
                )
                captioners[Path(name).name if Path(name).is_dir() else name] = using.load()
            log_to(sys.stderr)
            with Service(captioners, config, sounds) as service:
                server = server_of(service)
                with contextlib.suppress(Stopped), stopping(server.stop):
                    say("note", f"serving {', '.join(captioners)} at {address_of(listener)}")
                    server.run([listener])


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys in a file, one per line.

    Raises DataError: it cannot be read, or a key is too easy.
    """
    with opened(path, "file of API keys") as file:
        lines = file.read(MOST_KEYS).decode("utf-8", "replace").splitlines()
    keys = tuple(line.strip() for line in lines if line.strip())
    if not keys:
        raise DataError(f"{path}: holds no key; write one of {LEAST_KEY} characters or more")
    for number, key in enumerate(keys, 1):
        if len(key) < LEAST_KEY or not (key.isascii() and key.isprintable()):
            raise DataError(
                f"{path}: key {number} must have {LEAST_KEY} characters or more, all ASCII; make"
                ' one: python -c "import secrets; print(secrets.token_urlsafe())"'
            )
    return keys


def _require() -> None:
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"the service needs {error.name}: {install_command('serve')}"
        ) from error
