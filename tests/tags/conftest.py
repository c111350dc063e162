"""Recordings of every format with tags, and a journal for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

from auricle.tags.changes import Rules
from auricle.tags.entry import Entry
from auricle.tags.journal import Journal
from auricle.tags.write import Status, plan, write
from tests.helpers.sounds import tone
from tests.helpers.waves import PLAIN, wave

ENTRY = Entry("a dog barks", "0.71", "tiny", "2026-01-02")
SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".m4a")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal" / "undo") as journal:
        yield journal


@pytest.fixture
def tagged(journal: Journal) -> Callable[..., Status]:
    """``tagged(path, entry, **rules)`` writes the tags."""

    def tag(path: Path, entry: Entry = ENTRY, **rules: object) -> Status:
        given = Rules(**rules)  # type: ignore[arg-type]
        return write(plan(path, entry, given), journal, given)

    return tag


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(wave(PLAIN))
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Callable[[str], Path]:
    """``recording(suffix)``: a tone of a second in that format."""

    def write_tone(suffix: str) -> Path:
        path = tmp_path / f"tone{suffix}"
        if suffix == ".m4a":
            return _as_m4a(path)
        kind = {"format": "OGG", "subtype": "OPUS"} if suffix == ".opus" else {}
        soundfile.write(path, tone(1.0, 48_000), 48_000, **kind)
        return path

    return write_tone


def _as_m4a(path: Path) -> Path:
    av = pytest.importorskip("av", reason="the extra auricle[av] is not installed")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=48_000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(tone(1.0, 48_000)[None], format="fltp", layout="mono")
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return path
