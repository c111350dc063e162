"""The recordings of a command line, and the lines of those that fail."""

from __future__ import annotations

from collections.abc import Sequence

from auricle.audio.find import Input, find_audio_files
from auricle.cli.console import say
from auricle.errors import AudioError
from auricle.printable import printable


def found_inputs(paths: Sequence[str]) -> list[Input]:
    """The recordings that ``paths`` name; those that cannot be found are reported, and stay."""
    inputs = find_audio_files(paths)
    for one in inputs:
        if one.error:
            say("error", failure(one, one.error))
    return inputs


def failure(one: Input, error: AudioError | None) -> str:
    """The line of a recording without a result; its name is escaped while it can be told apart."""
    return f"{printable(one.name)}: {one.reason(error)}"
