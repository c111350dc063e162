"""Chained Ogg files are heard to their end, whatever the rates and codecs of their links."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from auricle.audio.load import load_audio, open_window
from auricle.audio.ogg import links
from auricle.audio.source import opened
from tests.helpers.sounds import tone

RATE = 16_000
ONE, FAST, OPUS = ("VORBIS", RATE), ("VORBIS", 44_100), ("OPUS", 48_000)


def ogg(subtype: str, rate_hz: int, hz: float, channels: int = 1) -> bytes:
    """Two seconds of a tone."""
    file = io.BytesIO()
    sound = np.tile(tone(2.0, rate_hz, hz)[:, None], (1, channels))
    soundfile.write(file, sound, rate_hz, format="OGG", subtype=subtype)
    return file.getvalue()


def pitch_hz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum)) * RATE / len(waveform)


@pytest.mark.parametrize("kinds", [(ONE, ONE), (ONE, FAST), (FAST, ONE, OPUS), (OPUS, FAST)])
def test_every_link_is_heard_at_its_place(tmp_path, kinds):
    path = tmp_path / "radio.ogg"
    pitches = [400 + 300 * number for number in range(len(kinds))]
    parts = [ogg(*kind, hz) for kind, hz in zip(kinds, pitches, strict=True)]
    path.write_bytes(b"".join(parts))
    found = load_audio(path, RATE)
    assert len(found.waveform) == pytest.approx(2 * len(kinds) * RATE, abs=100)
    with open_window(path) as window:  # before the end is read
        assert window.duration_s() == pytest.approx(2 * len(kinds), abs=0.01)
    for number, hz in enumerate(pitches):
        start_s = 2.0 * number + 0.5
        for heard in (
            found.waveform[round(start_s * RATE) :][:RATE],
            load_audio(path, RATE, start_s, start_s + 1).waveform,
        ):
            assert pitch_hz(heard) == pytest.approx(hz, abs=2)
    assert found.missing_s == 0


def test_links_are_split_at_their_first_pages(tmp_path):
    parts = [ogg(*ONE, 400), ogg(*OPUS, 500, channels=2), ogg(*FAST, 600)]
    for content, sizes in ((b"".join(parts), [*map(len, parts)]), (parts[1], []), (b"fLaC", [])):
        with opened(content, "a") as stream:
            found = links(stream)
            assert [link.size for link in found] == sizes
            assert all(link.read(10) == part[:10] for link, part in zip(found, parts, strict=False))


def test_a_last_link_cut_short_or_without_sound_leaves_the_others(tmp_path):
    path = tmp_path / "radio.ogg"
    first, second = ogg(*ONE, 400), ogg(*FAST, 800)
    for end in (second[: len(second) * 2 // 3], second[:58]):
        path.write_bytes(first + end)
        assert load_audio(path, RATE).duration_s >= 2.0
