"""Sidecars: a file per recording and format, each whole or absent.

    sounds/dogs/rex.wav ──► captions/dogs/rex.wav.jsonl      --output captions/
                        ──► sounds/dogs/rex.wav.jsonl        --sidecar

The whole name of the recording stays in that of its sidecar, so rex.wav and rex.flac have their
own.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from auricle.errors import AudioError, OutputError
from auricle.files import whole_file
from auricle.records import Caption

# Reasons that hold for every sidecar; others, such as a name that is too long, hold for one.
HOPELESS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO))


@dataclass(frozen=True)
class Outcome:
    """What came of one recording: its ``captions``, none if it holds no sound, or its ``error``.

    Attributes:
        note: a line for the user, such as that only a part was heard.
        partial: only a part was heard.
        duration_s: of the whole recording; None if it is not known.
    """

    captions: Sequence[Caption] = ()
    error: AudioError | None = None
    note: str | None = None
    partial: bool = False
    duration_s: float | None = None


Formats: TypeAlias = Mapping[str, Callable[[Outcome], str]]  # suffix -> the text of a sidecar


@dataclass(frozen=True)
class Sidecars:
    """Where sidecars are and what they hold.

    Attributes:
        folder: mirrors ``root``; None: each sidecar is beside its recording.
        root: the folder that all recordings share.
        token: in the names of files that are not finished; no other process may use it meanwhile.
    """

    formats: Formats
    folder: Path | None
    root: str
    token: str

    def name(self, recording: str) -> str:
        """The name of a recording's sidecars below their folder, without suffix."""
        try:
            return Path(os.path.relpath(recording, self.root)).as_posix()
        except ValueError:  # another drive
            return Path(recording).name

    def paths(self, recording: str, name: str) -> list[str]:
        """The sidecars of a recording, one per format."""
        start = os.path.join(self.folder, name) if self.folder else recording  # noqa: PTH118
        return [os.path.abspath(start + suffix) for suffix in self.formats]  # noqa: PTH100

    def write(self, outcome: Outcome, paths: Sequence[str]) -> dict[str, int]:
        """Write the sidecars of one recording; return their sizes in bytes.

        Raises:
            AudioError: the sidecars of this recording cannot be written.
            OutputError: no sidecar can be written.
        """
        sizes = {}
        for path, text in zip(paths, self.formats.values(), strict=True):
            content = text(outcome).encode("utf-8", "backslashreplace")
            try:
                with whole_file(Path(path), f".auricle-{self.token}.part") as part:
                    part.write_bytes(content)
            except OSError as error:
                if error.errno in HOPELESS:
                    raise OutputError(
                        f"{path}: cannot be written ({error.strerror}); make room, then go on with"
                        " --resume"
                    ) from error
                raise AudioError(
                    f"{path}: its sidecar cannot be written ({error.strerror}); allow it, or use a"
                    " shorter or another name"
                ) from error
            sizes[path] = len(content)
        return sizes
