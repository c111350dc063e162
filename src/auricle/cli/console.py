"""Standard error and exit codes: the messages and the end of every command."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator

import typer

from auricle.errors import AuricleError

SOME_FAILED, WRONG_USE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141  # the last two: 128 + signal
ESCAPE = "backslashreplace"


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """End a command with one line on stderr and an exit code instead of a traceback."""
    try:
        yield
    except AuricleError as error:
        say("error", str(error))
        raise typer.Exit(WRONG_USE) from error
    except KeyboardInterrupt as error:
        say("interrupted", "finished results have been written")
        raise typer.Exit(INTERRUPTED) from error
    except BrokenPipeError as error:
        with contextlib.suppress(OSError, ValueError):
            _to_nowhere(sys.stdout.fileno())  # for the interpreter's last flush
        raise typer.Exit(BROKEN_PIPE) from error
    except OSError as error:  # a full disk, a lost network drive
        say("error", str(error))
        raise typer.Exit(SOME_FAILED) from error


def say(kind: str, message: str) -> None:
    """One line on stderr, `auricle: kind: message`."""
    print(f"auricle: {kind}: {' '.join(message.split())}", file=sys.stderr, flush=True)


def use_utf8() -> None:
    """Use UTF-8 on stdout in every locale; escape names that are not Unicode."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors=ESCAPE)


def quiet_libraries() -> None:
    """Keep other packages' warnings and bars off the terminal; variables that the user set stay.

    C libraries write to descriptor 2 directly (libmpg123 a line per damaged frame of an mp3): it is
    closed for them, and `sys.stderr` uses a copy.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors=ESCAPE)
        _to_nowhere(2)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not sys.stderr.isatty():  # on a terminal, show large downloads
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _to_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
