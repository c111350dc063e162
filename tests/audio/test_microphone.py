"""Microphones, on a sounddevice that has no hardware."""

from __future__ import annotations

import builtins
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from auricle.audio.live import LiveSound
from auricle.audio.microphone import Microphone, input_devices
from auricle.errors import AudioError, MissingDependencyError
from tests.helpers.sounds import tone

RATE = 16_000


class FakeSoundDevice:
    """Speakers, a microphone of 48 kHz and one of two channels that gives no fewer; the sound comes
    as soon as a stream is started."""

    class PortAudioError(Exception):
        pass

    def __init__(self, sound: np.ndarray, overflow: bool = False, open_error: str = "") -> None:
        self.sound, self.overflow, self.open_error = sound, overflow, open_error
        self.closed = False
        self.devices = [
            {"index": number, "name": name, "max_input_channels": n, "default_samplerate": hz}
            for number, (name, n, hz) in enumerate(
                [("speakers", 0, 48e3), ("built-in", 1, 48e3), ("USB pair", 2, 16e3)]
            )
        ]

    def query_devices(self, device=None, kind=None):
        if device is None and kind is None:
            return self.devices
        if device is None:
            return self.devices[1]
        found = [one for one in self.devices if device in (one["index"], one["name"])]
        if not found:
            raise ValueError(f"No input device matching {device!r}")
        return found[0]

    def check_input_settings(self, device, channels, dtype, samplerate):
        if device == 2 and channels == 1:
            raise self.PortAudioError("Invalid number of channels")

    def InputStream(self, **settings):  # noqa: N802  (sounddevice's name)
        if self.open_error:
            raise self.PortAudioError(self.open_error)
        self.settings = settings

        def start():
            size = settings["blocksize"]
            for first in range(0, len(self.sound), size):
                block = self.sound[first : first + size, None].repeat(settings["channels"], 1)
                status = SimpleNamespace(input_overflow=self.overflow)
                settings["callback"](block, len(block), None, status)
                block[:] = 9  # PortAudio uses its buffer again
            settings["finished_callback"]()

        return SimpleNamespace(start=start, close=lambda: setattr(self, "closed", True))


@pytest.fixture
def fake(monkeypatch):
    def install(*arguments, **options):
        made = FakeSoundDevice(*arguments, **options)
        monkeypatch.setitem(sys.modules, "sounddevice", made)
        return made

    return install


def test_inputs_are_listed(fake):
    fake(tone(1.0))
    found = [(one.number, one.name, one.channels, one.rate_hz) for one in input_devices()]
    assert found == [(1, "built-in", 1, 48_000), (2, "USB pair", 2, 16_000)]
    assert [one.default for one in input_devices()] == [True, False]


@pytest.mark.parametrize(("device", "channels"), [(2, 2), ("USB pair", 2)])
def test_a_microphone_is_heard_until_it_is_gone(fake, device, channels):
    made = fake(tone(1.0))
    stream = LiveSound(Microphone(device), RATE)
    pieces = []
    with pytest.raises(AudioError, match="USB pair: gives no more sound"):
        pieces.extend(piece for piece in stream)
    assert made.settings["channels"] == channels
    assert made.closed


def test_what_a_microphone_hears_and_the_system_loses(fake):
    made = fake(tone(1.0, 48_000), overflow=True)
    stream = LiveSound(Microphone(), RATE, most_s=0.9)
    assert np.allclose(np.concatenate(list(stream)), tone(0.9), atol=0.02)
    assert made.settings["samplerate"] == 48_000
    assert stream.overruns == 10
    assert made.closed


def test_no_such_microphone(fake):
    fake(tone(1.0))
    with pytest.raises(AudioError, match=r"microphone 'lamp': No input .*--list-devices"):
        Microphone("lamp")


def test_a_microphone_in_use(fake):
    fake(tone(1.0), open_error="Device unavailable")
    with pytest.raises(AudioError, match=r"built-in: cannot be opened .Device unavailable"):
        list(LiveSound(Microphone(), RATE))


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (ImportError("no module"), r"pip install .*\[listen\]"),
        (OSError("PortAudio library not found"), "apt-get install libportaudio2"),
    ],
)
def test_a_missing_library_names_the_fix(monkeypatch, error, fix):
    original = builtins.__import__

    def refuse(name, *rest):
        if name == "sounddevice":
            raise error
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for use in (Microphone, input_devices):
        with pytest.raises(MissingDependencyError, match=fix):
            use()
