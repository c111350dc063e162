"""Building blocks of the example recordings: noise, resonances, rooms, speech, instruments.

Every sound is a float array [L] (stereo: [L, 2]) at ``RATE_HZ``; whatever is random comes from the
generator passed in, so a seed fixes the sound.
"""

from __future__ import annotations

import io
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

RATE_HZ = 32_000
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")

Sound = np.ndarray
Gain = Callable[[np.ndarray], np.ndarray]  # frequency in Hz -> amplitude


def seconds(duration_s: float) -> np.ndarray:
    """Time axis in seconds, [L]."""
    return np.arange(round(duration_s * RATE_HZ)) / RATE_HZ


def noise(rng: np.random.Generator, duration_s: float, gain: Gain) -> Sound:
    """Gaussian noise with the amplitude spectrum ``gain``, at unit RMS."""
    samples = len(seconds(duration_s))
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    shaped = np.fft.irfft(spectrum * gain(np.fft.rfftfreq(samples, 1 / RATE_HZ)), samples)
    return shaped / np.sqrt(np.mean(shaped**2))


def band(low_hz: float, high_hz: float, slope: float = 2.0) -> Gain:
    """Band-pass whose sides fall by ``slope`` times 6 dB an octave."""

    def gain(frequency_hz: np.ndarray) -> np.ndarray:
        frequency_hz = np.maximum(frequency_hz, 1.0)
        rise, fall = frequency_hz / low_hz, high_hz / frequency_hz
        return (np.minimum(1, rise) * np.minimum(1, fall)) ** slope

    return gain


def burst(rng: np.random.Generator, duration_s: float, decay_s: float, gain: Gain) -> Sound:
    """Noise that starts at once and dies away by 1/e every ``decay_s``."""
    return noise(rng, duration_s, gain) * np.exp(-seconds(duration_s) / decay_s)


def drift(rng: np.random.Generator, duration_s: float, per_s: float) -> Sound:
    """A smooth random curve through 0..1, turning about ``per_s`` times a second."""
    points = rng.uniform(0, 1, int(duration_s * per_s) + 4)
    position = seconds(duration_s) * per_s
    left = position.astype(int)
    blend = (1 - np.cos(np.pi * (position - left))) / 2
    return points[left] * (1 - blend) + points[left + 1] * blend


def ring(partials: Iterable[tuple[float, float, float]], duration_s: float) -> Sound:
    """A struck body: partials of (frequency in Hz, amplitude, decay time in s) together."""
    t = seconds(duration_s)
    attack = np.minimum(1, t / 0.001)  # 1 ms, or the onset clicks
    waves = [a * np.exp(-t / d) * np.sin(2 * np.pi * f * t) for f, a, d in partials]
    return attack * np.sum(waves, axis=0)


def tone(frequency_hz: Sound, harmonics: Iterable[float] = (1.0,)) -> Sound:
    """An oscillator following ``frequency_hz`` [L], with these amplitudes of its harmonics."""
    phase = 2 * np.pi * np.cumsum(frequency_hz) / RATE_HZ
    return np.sum([a * np.sin(k * phase) for k, a in enumerate(harmonics, start=1)], axis=0)


def place(track: Sound, sound: Sound, at_s: float, level: float = 1.0) -> None:
    """Add ``sound`` to ``track`` in place, from ``at_s``; what passes the end is cut."""
    start = round(at_s * RATE_HZ)
    piece = sound[: max(0, len(track) - start)]
    track[start : start + len(piece)] += level * piece


def room(rng: np.random.Generator, sound: Sound, decay_s: float, wet: float) -> Sound:
    """Reverberation: convolution with noise that dies away by 60 dB in ``decay_s``."""
    echo = burst(rng, decay_s, decay_s / 6.9, band(150, 5000, 1))  # e^-6.9 is -60 dB
    size = len(sound) + len(echo)
    wet_sound = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(echo, size), size)
    return sound + wet * wet_sound[: len(sound)] / np.sqrt(np.sum(echo**2))


def fit(sound: Sound, duration_s: float) -> Sound:
    """Cut or pad with silence to ``duration_s``."""
    track = np.zeros((len(seconds(duration_s)), *sound.shape[1:]))
    place(track, sound, 0)
    return track


def speak(text: str, voice: str, words_per_minute: int = 160) -> Sound:
    """Speech by espeak-ng, scaled to a peak of 1."""
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "--stdout", text]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    speech, rate_hz = sf.read(io.BytesIO(wav))
    speech = soxr.resample(speech, rate_hz, RATE_HZ)
    return speech / np.abs(speech).max()


def play(program: int, notes: Iterable[tuple[float, float, int, int]]) -> Sound:
    """Notes by fluidsynth and the FluidR3 sound font, stereo [L, 2], scaled to a peak of 1.

    ``program`` is the General MIDI number counted from 0; a note is (start in beats, length in
    beats, key, velocity) at 120 beats a minute.
    """
    events = []
    for start, length, key, velocity in notes:
        events.append((round(start * 480), bytes([0x90, key, velocity])))
        events.append((round((start + length) * 480), bytes([0x80, key, 0])))
    body, now = bytes([0, 0xC0, program]), 0
    for tick, message in sorted(events):
        body += _variable_length(tick - now) + message
        now = tick
    body += _variable_length(960) + b"\xff\x2f\x00"  # let the last note ring for a second
    midi = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(body))
    with tempfile.TemporaryDirectory() as folder:
        score, wav = Path(folder, "score.mid"), Path(folder, "score.wav")
        score.write_bytes(midi + body)
        command = ["fluidsynth", "-niq", "-r", str(RATE_HZ), "-g", "0.5"]
        subprocess.run(
            [*command, "-F", str(wav), str(SOUND_FONT), str(score)], check=True, capture_output=True
        )
        sound = sf.read(wav)[0]
    return sound / np.abs(sound).max()


def _variable_length(ticks: int) -> bytes:
    """A MIDI delta time: seven bits a byte, most significant first, all but the last marked."""
    digits = [ticks & 0x7F]
    while ticks := ticks >> 7:
        digits.append(ticks & 0x7F | 0x80)
    return bytes(reversed(digits))
