"""Mutated WAV files: either refused and left as they are, or tagged with the sound intact."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from auricle.errors import AuricleError
from auricle.tags.changes import Rules
from auricle.tags.entry import Entry
from auricle.tags.journal import Journal
from auricle.tags.write import Status, plan, undo, write
from tests.helpers.waves import FULL, PLAIN, SAMPLES, wave

ENTRY = Entry("a dog barks", "0.71", "tiny", "2026-01-02")
WHOLE = [
    wave(chunks, kind) for chunks in (PLAIN, FULL, FULL[2:]) for kind in (b"RIFF", b"RF64", b"BW64")
]


def mutated(rng: random.Random) -> bytes:
    content = bytearray(rng.choice(WHOLE))
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(max(1, len(content)))
        match rng.randrange(7):
            case 0:
                content[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del content[at:]
            case 2:
                del content[at : at + rng.randrange(1, 40)]
            case 3:
                content[at:at] = rng.randbytes(rng.randrange(1, 40))
            case 4:  # the size of a chunk
                names = (b"data", b"bext", b"LIST", b"iXML", b"RIFF", b"RF64", b"ds64", b"fmt ")
                found = content.find(rng.choice(names)) + 4
                size = rng.choice((0, 1, 3, 0xFFFFFFFF, 0x7FFFFFFF, len(content), 1601))
                content[found : found + 4] = size.to_bytes(4, "little")
            case 5:
                content += rng.randbytes(rng.randrange(1, 20))
            case 6:  # twice the same
                size = rng.randrange(1, 700)
                content[at:at] = content[at : at + size]
    return bytes(content)


def check_one(path: Path, before: bytes, journal: Journal) -> bool:
    """Whether the file was tagged."""
    path.write_bytes(before)
    refused = ""
    try:
        done = write(plan(path, ENTRY, Rules()), journal, Rules())
    except AuricleError as error:
        refused = str(error)
    assert list(path.parent.iterdir()) == [path]
    if refused:
        assert refused.startswith(f"{path}: ")
        assert "\n" not in refused
        assert path.read_bytes() == before
        return False
    if done is Status.unchanged:
        return False
    after = path.read_bytes()
    assert after != before
    if SAMPLES in before:
        assert SAMPLES in after
    assert undo(path, journal) is Status.restored
    assert path.read_bytes() == before
    return True


@pytest.mark.parametrize("seed", range(3))
def test_mutations_are_refused_or_tagged_without_damage(seed, tmp_path):
    rng = random.Random(seed)
    folder = tmp_path / "sounds"
    folder.mkdir()
    with Journal(tmp_path / "undo") as journal:
        tagged = sum(check_one(folder / "a.wav", mutated(rng), journal) for _ in range(60))
    assert 5 < tagged < 55
