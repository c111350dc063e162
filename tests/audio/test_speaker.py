"""Playing a section of a recording, with a stand-in for sounddevice."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from auricle.audio.speaker import RATE_HZ, play
from auricle.errors import AudioError, MissingDependencyError


class NoDeviceError(Exception):
    pass


def test_a_section_is_played_to_its_end(monkeypatch, write_tone):
    calls = []
    device = SimpleNamespace(
        play=lambda waveform, rate_hz: calls.append((len(waveform), rate_hz)),
        wait=lambda: calls.append("wait"),
        stop=lambda: calls.append("stop"),
        PortAudioError=NoDeviceError,
    )
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    play(write_tone("a.wav", 2.0), 0.5, 1.0)
    assert calls == [(RATE_HZ // 2, RATE_HZ), "wait", "stop"]


def test_without_a_speaker_or_the_package(monkeypatch, write_tone):
    def refuse(*_):
        raise NoDeviceError("no default device")

    device = SimpleNamespace(play=refuse, stop=lambda: None, PortAudioError=NoDeviceError)
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    path = write_tone("a.wav")
    with pytest.raises(AudioError, match=r"cannot be played here .no default device.; connect"):
        play(path)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingDependencyError, match=r"a speaker needs sounddevice, .*\[listen\]"):
        play(path)
