"""Recordings with nothing to tell: tones, noise, hum and near-silence, with captions that say so.

Synthesised by us, so that the captioner stays truthful where no sound of the world is heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auricle.tiny.tracks import coloured_noise

CAPTIONS: dict[str, Sequence[str]] = {
    "low tone": (
        "a low steady tone plays",
        "a low pitched tone hums continuously",
        "a continuous low electronic tone sounds",
    ),
    "tone": (
        "a steady electronic tone plays",
        "a single tone sounds continuously",
        "a constant electronic tone plays at one pitch",
    ),
    "high tone": (
        "a high pitched tone plays",
        "a high pitched electronic tone sounds continuously",
        "a constant high pitched tone rings",
    ),
    "beeps": (
        "an electronic device beeps repeatedly",
        "a series of electronic beeps sound",
        "electronic beeping occurs repeatedly",
    ),
    "sweep": (
        "an electronic tone changes in pitch",
        "an electronic tone glides in pitch",
        "a synthetic tone sweeps up and down",
    ),
    "static": (
        "static noise plays continuously",
        "white noise plays continuously",
        "steady static hisses loudly",
    ),
    "hiss": (
        "a steady hiss continues in the background",
        "a soft constant hissing noise",
        "quiet background noise continues",
    ),
    "rumble": (
        "a low steady rumble continues",
        "a deep rumbling noise continues",
        "low background rumbling continues",
    ),
    "hum": (
        "a low electrical hum continues",
        "a steady electrical hum plays",
        "something hums steadily",
    ),
    "quiet": (
        "it is quiet with almost no sound",
        "a quiet room with faint background noise",
        "very faint background noise and nothing else",
    ),
}
KINDS = tuple(CAPTIONS)


@dataclass(frozen=True)
class PlainRecording:
    """A waveform [L] float32 and captions that are true of it."""

    waveform: np.ndarray
    captions: tuple[str, ...]


def plain_recordings(
    number: int, sample_rate_hz: int, seed: int = 0, durations_s: tuple[float, float] = (0.5, 15.0)
) -> list[PlainRecording]:
    """``number`` recordings, the kinds in turn, of random lengths, pitches and levels."""
    rng = np.random.default_rng(seed)
    found = []
    for turn in range(number):
        kind = KINDS[turn % len(KINDS)]
        samples = int(sample_rate_hz * rng.uniform(*durations_s))
        x = _waveform(kind, samples, sample_rate_hz, rng)
        if kind != "quiet":
            x = x / (np.abs(x).max() + 1e-9) * 10 ** (rng.uniform(-26, -1) / 20)
            if rng.random() < 0.3:
                x = x + coloured_noise(samples, 0.5, rng) * 10 ** (rng.uniform(-75, -50) / 20)
            if rng.random() < 0.4:  # old recorders and telephones cut the treble off
                x = low_passed(x, rng.uniform(1500, 7500), sample_rate_hz)
            if rng.random() < 0.15:
                x = np.round(x * 127) / 127  # 8 bit
        waveform = np.clip(x, -1.0, 1.0).astype(np.float32)
        found.append(PlainRecording(waveform, tuple(CAPTIONS[kind])))
    return found


def low_passed(x: np.ndarray, cutoff_hz: float, sample_rate_hz: int) -> np.ndarray:
    """[L] -> [L], falling by 48 dB per octave above ``cutoff_hz``."""
    from scipy import signal

    return signal.sosfilt(signal.butter(8, cutoff_hz, fs=sample_rate_hz, output="sos"), x)


def _waveform(kind: str, samples: int, sample_rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    time_s = np.arange(samples) / sample_rate_hz
    if kind == "quiet":
        level_db = rng.uniform(-95, -55)
        return coloured_noise(samples, rng.uniform(0.0, 1.2), rng) * 10 ** (level_db / 20)
    noises = {"static": (0.0, 0.3), "hiss": (0.3, 0.7), "rumble": (1.0, 1.6)}
    if kind in noises:
        return coloured_noise(samples, rng.uniform(*noises[kind]), rng)
    if kind == "hum":
        mains_hz = rng.choice([50.0, 60.0])
        harmonics = np.arange(1, 9)[:, None]
        phases = 2 * np.pi * (mains_hz * harmonics * time_s + rng.random((8, 1)))
        return (np.sin(phases) / harmonics ** rng.uniform(0.3, 1.5, (8, 1))).sum(axis=0)
    ranges_hz = {"low tone": (60, 250), "tone": (250, 1200), "high tone": (1200, 6500)}
    low_hz, high_hz = ranges_hz.get(kind, (250, 4000))
    pitch_hz = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz)))
    if kind == "sweep":
        turns_per_s, octaves = rng.uniform(0.05, 1.0), rng.uniform(0.5, 2.0)
        course = 2.0 ** (octaves * np.sin(2 * np.pi * turns_per_s * time_s + rng.uniform(0, 6.28)))
        return np.sin(2 * np.pi * np.cumsum(pitch_hz * course / 2) / sample_rate_hz)
    wave = np.sin(2 * np.pi * pitch_hz * time_s)
    if rng.random() < 0.3:
        wave = np.sign(wave) * 0.5 + wave * 0.5  # towards a square wave
    if kind == "beeps":
        period_s, share = rng.uniform(0.2, 1.5), rng.uniform(0.2, 0.6)
        wave = wave * ((time_s / period_s) % 1.0 < share)
    return wave
