"""Files of chunks (WAV, RF64, AIFF, W64, CAF, AU): how much of the declared sound is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auricle.audio.source import Stream

MOST_CHUNKS = 1000


@dataclass(frozen=True)
class Layout:
    """Bytes of a chunk's name and of its size; ``counted``: the size counts both, too; ``align``:
    chunks begin at multiples of it."""

    begin: int
    name: int
    size: int
    order: Literal["little", "big"]
    sound: bytes
    counted: bool = False
    align: int = 2


LAYOUTS = {
    b"RIFF": Layout(12, 4, 4, "little", b"data"),
    b"RIFX": Layout(12, 4, 4, "big", b"data"),
    b"RF64": Layout(12, 4, 4, "little", b"data"),
    b"FORM": Layout(12, 4, 4, "big", b"SSND"),
    b"riff": Layout(40, 16, 8, "little", b"data", counted=True, align=8),
    b"caff": Layout(8, 4, 8, "big", b"data", align=1),
    b".snd": Layout(4, 0, 0, "big", b""),
}


def share_present(stream: Stream) -> float:
    """The share of the sound declared by the header that the file holds, in (0, 1]; 1 if it holds
    all, or if the size is not declared, as in recordings that were written to a pipe."""
    stream.seek(0)
    layout = LAYOUTS.get(stream.read(4))
    if layout is None:
        return 1.0
    if not layout.name:  # AU: place and size of the sound
        place, declared = int.from_bytes(stream.read(4)), int.from_bytes(stream.read(4))
        return _share(place, declared, stream.size)
    place, rf64_size = layout.begin, 0
    for _ in range(MOST_CHUNKS):
        stream.seek(place)
        name = stream.read(layout.name)
        size = int.from_bytes(stream.read(layout.size), layout.order)
        size -= layout.name + layout.size if layout.counted else 0
        content = place + layout.name + layout.size
        if name[:4] == layout.sound:
            return _share(content, rf64_size or size, stream.size)
        if name == b"ds64":  # the sizes of RF64, of the file and of its sound
            rf64_size = int.from_bytes(stream.read(16)[8:], "little")
        place = content + max(0, size) + -size % layout.align
        if not name or place >= stream.size:
            break
    return 1.0


def _share(place: int, declared: int, file_size: int) -> float:
    present = file_size - place
    if present <= 0 or declared <= present or is_open(declared):
        return 1.0
    return present / declared


def is_open(declared: int) -> bool:
    """Whether a size in a header says that it is not known: programs that write to a pipe declare
    0, or about the most that the field can hold."""
    return not declared or any(
        0 <= most - declared <= 4096 for most in (2**31, 2**32, 2**63, 2**64)
    )
