"""Recordings that are tagged: either refused and left as they are, or tagged with the sound intact
and given back byte by byte."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from random import Random

from auricle.errors import AuricleError
from auricle.tags.changes import Rules
from auricle.tags.entry import Entry
from auricle.tags.journal import Journal
from auricle.tags.write import Status, plan, undo
from auricle.tags.write import write as tag
from tests.fuzz.damage import damaged
from tests.fuzz.reader import Reader
from tests.helpers.recordings import names, recording
from tests.helpers.waves import FULL, PLAIN, SAMPLES, wave

ENTRY = Entry("a dog barks", "0.71", "tiny", "2026-01-02")
FORMATS = ("wav", "rf64.wav", "flac", "ogg", "opus", "mp3", "aiff", "m4a")
NAMES = (b"data", b"bext", b"LIST", b"iXML", b"RIFF", b"RF64", b"ds64", b"fmt ", b"COMM", b"moov")
SIZES = (0, 1, 3, 0xFFFFFFFF, 0x7FFFFFFF, 1601)


@cache
def _waves() -> list[bytes]:
    kinds = (b"RIFF", b"RF64", b"BW64")
    return [wave(chunks, kind) for chunks in (PLAIN, FULL, FULL[2:]) for kind in kinds]


@cache
def _tagged(name: str) -> bytes:
    """A recording that has tags already."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, f"a.{name}")
        path.write_bytes(recording(name))
        with Journal(Path(place, "undo")) as journal:
            tag(plan(path, ENTRY, Rules()), journal, Rules())
        return path.read_bytes()


def write(random: Random, folder: Path) -> Path:
    known = [name for name in FORMATS if name in names()]
    name = random.choice(known)
    if random.random() < 0.4:
        name, content = "wav", _chunks(random, bytearray(random.choice(_waves())))
    else:
        whole = random.choice((_tagged, recording))(name)
        other = _tagged(random.choice(known))
        content = damaged(random, whole, other)
        if random.random() < 0.3:
            content = _chunks(random, bytearray(whole))
    path = folder / f"a.{name}"
    path.write_bytes(content)
    return path


def _chunks(random: Random, content: bytearray) -> bytes:
    """Chunks with other sizes, doubled, cut, or with more between them."""
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(max(1, len(content)))
        match random.randrange(7):
            case 0:
                content[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del content[at:]
            case 2:
                del content[at : at + random.randrange(1, 40)]
            case 3:
                content[at:at] = random.randbytes(random.randrange(1, 40))
            case 4:
                found = content.find(random.choice(NAMES)) + 4
                size = random.choice((*SIZES, len(content)))
                content[found : found + 4] = size.to_bytes(4, random.choice(("little", "big")))
            case 5:
                content += random.randbytes(random.randrange(1, 20))
            case 6:
                size = random.randrange(1, 700)
                content[at:at] = content[at : at + size]
    return bytes(content)


def read(path: Path) -> Status:
    before = path.read_bytes()
    beside = set(path.parent.iterdir())
    with tempfile.TemporaryDirectory() as place, Journal(Path(place, "undo")) as journal:
        try:
            done = tag(plan(path, ENTRY, Rules()), journal, Rules())
        except AuricleError:
            assert path.read_bytes() == before
            assert set(path.parent.iterdir()) == beside
            raise
        if done is not Status.unchanged:
            after = path.read_bytes()
            assert after != before
            assert SAMPLES not in before or SAMPLES in after
            assert undo(path, journal) is Status.restored
        assert path.read_bytes() == before
        assert set(path.parent.iterdir()) == beside
        return done


READER = Reader(write, read)
