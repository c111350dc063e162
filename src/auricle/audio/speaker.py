"""The speaker: plays a section of a recording through sounddevice and PortAudio."""

from __future__ import annotations

from pathlib import Path

from auricle.audio.load import load_audio
from auricle.audio.microphone import sounddevice_for
from auricle.errors import AudioError, reason

RATE_HZ = 44_100


def play(path: str | Path, start_s: float = 0.0, end_s: float | None = None) -> None:
    """Play a recording from ``start_s`` to ``end_s``, and wait for its end.

    Raises:
        AudioError: it cannot be read, or there is nothing to play it on.
        MissingDependencyError: sounddevice or PortAudio is missing.
    """
    devices = sounddevice_for("a speaker", "")
    recording = load_audio(path, RATE_HZ, start_s, end_s)
    try:
        devices.play(recording.waveform, RATE_HZ)
        devices.wait()
    except (devices.PortAudioError, ValueError) as error:
        raise AudioError(
            f"{path}: cannot be played here ({reason(error)}); connect a speaker, or write a list"
            " for a player: --format m3u"
        ) from error
    finally:
        devices.stop()
