"""Standard error and exit codes: the messages and the end of every command."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from auricle.errors import AuricleError, is_out_of_memory
from auricle.printable import printable, printable_lines

SOME_FAILED, WRONG_USE, BROKEN_PIPE = 1, 2, 141
SIGNALLED = 128  # the exit code is that much above the signal's number: 130 after Ctrl-C, SIGINT
STOPS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
ESCAPE = "backslashreplace"
UsageError: Any = typer.BadParameter.__base__  # of click, or of typer's own copy of it


class Stopped(KeyboardInterrupt):
    """A signal asks the program to end: as Ctrl-C does, finished results are written first."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """End a command with one line on stderr and an exit code instead of a traceback; the library's
    log lines become notes."""
    _show_log()
    try:
        with _stops():
            yield
    except AuricleError as error:
        say("error", str(error))
        raise typer.Exit(SOME_FAILED if isinstance(error, OSError) else WRONG_USE) from error
    except KeyboardInterrupt as error:
        _end_after(error)
    except BrokenPipeError as error:
        with contextlib.suppress(OSError, ValueError):
            _to_nowhere(sys.stdout.fileno())  # for the interpreter's last flush
        raise typer.Exit(BROKEN_PIPE) from error
    except OSError as error:  # a full disk, a lost network drive
        if isinstance(error.__context__, KeyboardInterrupt):  # a terminal that was closed
            _end_after(error.__context__)
        say("error", str(error))
        raise typer.Exit(SOME_FAILED) from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        place = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
        reason = f" ({error})" if str(error) else ""
        say(
            "error",
            f"out of memory{place}{reason}; finished results have been written; take less at once:"
            " a smaller --batch-size, shorter recordings",
        )
        raise typer.Exit(SOME_FAILED) from error


@contextlib.contextmanager
def _stops() -> Iterator[None]:
    """Within, the signals `STOPS` raise `Stopped`; one that was ignored, as by nohup, stays so."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        for other in STOPS:
            signal.signal(other, signal.SIG_IGN)  # the results are being written
        raise Stopped(number)

    with _handled(STOPS, stop):
        yield


@contextlib.contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Within, Ctrl-C or another signal to end calls ``stop``, so the block comes to its own end,
    which raises `Stopped`. A second signal raises it at once."""
    stopped_by: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if stopped_by:
            raise Stopped(number)
        stopped_by.append(number)
        stop()

    with _handled((signal.SIGINT, *STOPS), handle):
        yield
    if stopped_by:
        raise Stopped(stopped_by[0])


@contextlib.contextmanager
def _handled(
    numbers: Iterable[int], handle: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Within, the signals call ``handle``, except those that are ignored."""
    before: dict[int, Any] = {}
    with contextlib.suppress(ValueError):  # not in the main thread
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_after(interrupt: KeyboardInterrupt) -> NoReturn:
    try:
        say("interrupted", "finished results have been written")
        sys.stdout.flush()
    except OSError:  # the terminal is gone: nor can the interpreter's last flush reach it
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                _to_nowhere(stream.fileno())
    number = interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT
    raise typer.Exit(SIGNALLED + number) from interrupt


def _show_log() -> None:
    import logging

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say("note", record.getMessage())

    logging.getLogger("auricle").handlers = [Notes()]


def say(kind: str, message: str) -> None:
    """One line on stderr, `auricle: kind: message`; what does not print is escaped."""
    line = " ".join(filter(None, (part.strip() for part in message.split("\n"))))
    print(f"auricle: {kind}: {printable(line)}", file=sys.stderr, flush=True)


class Commands(TyperGroup):
    """Commands whose messages on wrong use hold no terminal escapes, though arguments may."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            error.message = printable_lines(error.message)
            raise


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Imports and loading without garbage collection: what is loaded stays, and to look through
    torch's objects again and again takes a sixth of the time to a first caption."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def end_without_collection() -> None:
    """Let the interpreter end without a last garbage collection, 0.3 s after torch."""
    atexit.register(gc.freeze)


def use_utf8() -> None:
    """Use UTF-8 on stdout in every locale, with line ends as they are written; escape names that
    are not Unicode."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors=ESCAPE, newline="")


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
