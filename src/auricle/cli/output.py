"""The file of `--output`.

Every record goes straight into the file, so a kill costs the caption in work and no other, and what
the file holds is where a later run could go on. What it held before stays until the first new
caption: a model that does not load or a run without any success changes nothing. The first caption
then replaces it, in place, so links and permissions stay too.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

import typer

from auricle.errors import OutputError
from auricle.printable import printable


def opened(
    output: Path | None, overwrite: bool, stdout: TextIO, failures_too: bool = False
) -> contextlib.AbstractContextManager[TextIO]:
    """A text stream to ``output``, or to ``stdout`` if that is None or the same file.

    ``failures_too``: a new file is worth keeping without a single caption. Pipes and devices are
    written as they are.

    Raises typer.BadParameter: the file holds something and may not be overwritten, or cannot be
    written.
    """
    if output is None or _is_stdout(output, stdout):
        return _flushed(stdout)
    try:
        if output.exists() and not output.is_file() and not output.is_dir():
            return output.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        if not overwrite and output.exists() and output.stat().st_size:
            raise typer.BadParameter(
                f"{printable(str(output))} exists; name another file, or replace it with"
                " --overwrite.",
                param_hint="'--output'",
            )
        return contextlib.closing(cast(TextIO, OutputFile(output, failures_too)))
    except OSError as error:
        raise typer.BadParameter(
            f"{printable(str(output))} cannot be written ({error.strerror}).",
            param_hint="'--output'",
        ) from error


class OutputFile(io.TextIOBase):
    """A text stream to a file: what is written waits for the first flush, which replaces what the
    file held. Without one, the end leaves the file as it was, or absent; ``keep_new``: a new file
    gets the text all the same."""

    def __init__(self, path: Path, keep_new: bool) -> None:
        self._path, self._new, self._keep_new = path, not path.exists(), keep_new
        self._waiting, self._begun = "", False
        mode = "x" if self._new else "r+"
        self._file = path.open(mode, encoding="utf-8", errors="backslashreplace", newline="")

    def write(self, text: str) -> int:
        if self._begun:
            with self._named():
                return self._file.write(text)
        self._waiting += text
        return len(text)

    def flush(self) -> None:
        if self._file.closed:
            return
        with self._named():
            if not self._begun:
                self._begun = True  # first: after an interruption, the rest follows this text
                self._file.write(self._waiting)
                self._file.flush()
                self._file.truncate()  # last, so the file is never empty
            self._file.flush()

    def close(self) -> None:
        if self._new and self._keep_new and self._waiting:
            self.flush()
        with self._named():
            if self._begun and not self._file.closed:
                self._file.truncate()  # again, in case of an interruption
            self._file.close()
        if self._new and not self._begun:
            self._path.unlink(missing_ok=True)
        super().close()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Errors of the disk name the file; an empty one is not left on a full disk."""
        try:
            yield
        except OSError as error:
            with contextlib.suppress(OSError):
                if self._new and not self._path.stat().st_size:
                    self._path.unlink()
            raise OutputError(
                f"{self._path}: cannot be written to its end ({error.strerror}); make room, or name"
                " another file by --output"
            ) from error


@contextlib.contextmanager
def _flushed(stdout: TextIO) -> Iterator[TextIO]:
    try:
        yield stdout
    finally:
        stdout.flush()


def _is_stdout(output: Path, stdout: TextIO) -> bool:
    try:
        return os.path.samestat(output.stat(), os.fstat(stdout.fileno()))
    except (OSError, ValueError):  # missing; or not the stdout of a process
        return False
