"""Recordings that another process decodes: the same sound, and the same messages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

from auricle.audio.isolated import Decoders
from auricle.audio.kinds import AudioInput, is_one, recognise, source_name
from auricle.audio.load import load_audio, load_sections
from auricle.audio.readers import open_container
from auricle.audio.source import opened
from auricle.audio.stream import RecordingStream
from auricle.errors import AudioError
from auricle.parts import Parts
from tests.fuzz.audio import content
from tests.helpers.decoders import (
    RAIN,
    RATE,
    sound,
)
from tests.helpers.models import captioner_of
from tests.helpers.paths import EXAMPLES

SECTIONS = [(0.0, 1.0), (0.8, 2.5), (4.0, None)]
KINDS = ["wav", "flac", "ogg", "opus", "mp3", "vbr.mp3", "m4a", "mp4", "mkv", "streamed.webm"]


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(2) as decoders:
        yield decoders


def outcome(source: AudioInput) -> tuple[list[tuple], str]:
    """What is read of sections, and the error after them."""
    found = []
    try:
        for one in load_sections(source, RATE, SECTIONS):
            found.append((one.waveform.tobytes(), one.duration_s, one.missing_s))
    except AudioError as error:
        return found, f"{type(error).__name__}: {error}"
    return found, ""


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_blocks_sections_pieces_and_parts(tmp_path, write_sound, decoders, kind, channels):
    rate_hz = 48_000 if kind in ("opus", "streamed.webm") else 44_100
    path = write_sound(tmp_path / f"a.{kind}", sound(12.0, rate_hz, channels), rate_hz)
    source = decoders.source(path, str(path))
    with (
        opened(path, "a") as stream,
        contextlib.closing(open_container(stream)) as own,
        contextlib.closing(source.open_reader()) as other,
    ):
        assert other.rate_hz == own.rate_hz
        for start in (0, 300_001):
            for block, same in zip(own.blocks(start), other.blocks(start), strict=True):
                assert same.shape == block.shape
                np.testing.assert_array_equal(same, block)
        assert other.duration_s() == own.duration_s()
        assert other.declared_s() == own.declared_s()
    for read in (
        lambda given: list(load_sections(given, RATE, [(0.0, 1.0), (0.5, 2.0), (9.1, None)])),
        lambda given: [*Parts(given, RATE, 5.0)],
    ):
        for same, expected in zip(read(source), read(path), strict=True):
            np.testing.assert_array_equal(same.waveform, expected.waveform)
            assert (same.name, same.start_s, same.duration_s, same.missing_s) == (
                *(expected.name, expected.start_s, expected.duration_s, expected.missing_s),
            )
    for same, expected in zip(
        RecordingStream(source, RATE), RecordingStream(path, RATE), strict=True
    ):
        np.testing.assert_array_equal(same, expected)
    assert decoders.deaths == 0


@pytest.mark.parametrize("kind", KINDS)
def test_files_cut_short_and_damaged_end_alike(tmp_path, write_sound, decoders, kind):
    path = write_sound(tmp_path / f"a.{kind}", sound(6.0, 48_000), 48_000)
    content = bytearray(path.read_bytes())
    damaged = bytearray(content)
    size = len(content)
    damaged[size // 2 : size * 3 // 4] = b"\xa5" * (size * 3 // 4 - size // 2)
    for broken in (content[: size // 2], damaged, content[:100]):
        path.write_bytes(broken)
        assert outcome(decoders.source(path, str(path))) == outcome(path)
    assert decoders.deaths == 0


def test_what_is_no_recording_is_refused_in_the_same_words(tmp_path, decoders):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.mp3").write_text("no sound" * 1000)
    (tmp_path / "midi").write_bytes(b"\xf0\x7e\0\1" * 1000)  # libsndfile prints about these
    for name in ("empty.wav", "text.mp3", "midi", "missing\udcff.wav", ""):
        path = tmp_path / name
        told = outcome(decoders.source(path, str(path)))
        assert told == outcome(path)
        assert told[1]


def test_it_is_one_recording_and_has_the_name_that_it_is_given(decoders):
    source = decoders.source(RAIN, "https://example.org/rain.ogg")
    assert is_one(source)
    assert source_name(source) == "https://example.org/rain.ogg"  # and yet a file is opened
    assert recognise(source) == ("https://example.org/rain.ogg", source)
    assert load_audio(source, RATE).name == "https://example.org/rain.ogg"
    with pytest.raises(AudioError, match=r"^client\.wav: no such file"):
        load_audio(decoders.source(Path("/secret/place.wav"), "client.wav"), RATE)


def test_captions_and_timelines_are_the_same(bundle, decoders):
    captioner = captioner_of(bundle)
    paths = [RAIN, EXAMPLES / "man-speaking.mp3"]
    sources = [decoders.source(path, str(path)) for path in paths]
    assert captioner.caption(sources) == captioner.caption(paths)
    spans = [[*captioner.timeline(given)] for given in (sources[0], RAIN)]
    assert spans[0] == spans[1]


@pytest.mark.slow
def test_mutated_files_give_the_same_sound_or_the_same_words(tmp_path):
    pytest.importorskip("av", reason="the extra auricle[av] is not installed")
    kinds = set()
    with Decoders(1, memory_bytes=2**32) as decoders:
        for number in range(150):
            path = tmp_path / str(number)
            path.write_bytes(content(Random(number))[1])
            told = outcome(decoders.source(path, str(path)))
            assert told == outcome(path), number
            kinds.add(told[1] == "")
        assert decoders.deaths == 0
    assert kinds == {True, False}
