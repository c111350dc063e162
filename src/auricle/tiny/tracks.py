"""Posterior tracks: what the encoder hears in labelled sounds, as they are and varied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from auricle.errors import AudioError
from auricle.model.yamnet import Yamnet
from auricle.tiny.sounds import Sound
from auricle.watch import Progress, silent

MAX_DURATION_S = 20.0
CERTAIN = 1e-7  # posteriors closer to 0 or 1 than this are taken as that close
BATCH = 16


@dataclass(frozen=True)
class Track:
    """Log-odds [T, C] float32 of one recording, and the classes it was labelled with."""

    log_odds: np.ndarray
    classes: tuple[int, ...]


def read_tracks(
    sounds: Sequence[Sound],
    encoder: Yamnet,
    index: dict[str, int],
    variants: int,
    seed: int = 0,
    progress: Progress = silent,
) -> list[Track]:
    """Hear every sound as it is and ``variants - 1`` times `varied`.

    ``index`` gives a class's number by name.
    """
    rng = np.random.default_rng(seed)
    tracks: list[Track] = []
    for start in range(0, len(sounds), BATCH):
        batch = sounds[start : start + BATCH]
        waveforms, classes = [], []
        for sound in batch:
            try:
                original = sound.waveform(encoder.sample_rate_hz, MAX_DURATION_S)
            except AudioError:  # a click of less than the 0.1 s that a recording needs
                continue
            original = np.trim_zeros(original)  # clips of ESC-50 are filled up with digital silence
            if len(original) == 0:
                continue
            later = [varied(original, encoder.sample_rate_hz, rng) for _ in range(variants - 1)]
            waveforms += [original, *later]
            classes += [tuple(index[name] for name in sound.classes)] * variants
        heard = log_odds(encoder, waveforms)
        tracks += [Track(*pair) for pair in zip(heard, classes, strict=True)]
        progress("hearing sounds", min(start + BATCH, len(sounds)), len(sounds))
    return tracks


def log_odds(encoder: Yamnet, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
    """N waveforms [L_i] -> N arrays [T_i, C] float32; ``encoder`` gives posteriors."""
    by_length = sorted(range(len(waveforms)), key=lambda i: len(waveforms[i]))
    found: dict[int, np.ndarray] = {}
    for start in range(0, len(by_length), BATCH):
        batch = by_length[start : start + BATCH]
        lengths = torch.tensor([len(waveforms[i]) for i in batch])
        padded = torch.zeros(len(batch), int(lengths.max()))
        for row, i in enumerate(batch):
            padded[row, : lengths[row]] = torch.from_numpy(waveforms[i])
        with torch.inference_mode():
            posteriors, frames = encoder(padded, lengths)
        odds = torch.logit(posteriors.float(), eps=CERTAIN).numpy()
        found.update({i: odds[row, : frames[row]] for row, i in enumerate(batch)})
    return [found[i] for i in range(len(waveforms))]


def varied(waveform: np.ndarray, sample_rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """The sound as another recorder might have caught it: [L] -> [L'] float32.

    Speed and pitch, a room, a narrow band, another level, and background noise; each at random.
    """
    import soxr
    from scipy import signal

    speed = rng.choice([1.0, 1.0, 0.84, 0.92, 1.09, 1.19])
    x = soxr.resample(waveform, sample_rate_hz, sample_rate_hz / speed)
    if len(x) == 0:
        return waveform
    if rng.random() < 0.5:  # a room: noise decaying by 60 dB, under the direct sound
        decay = np.arange(round(sample_rate_hz * rng.uniform(0.1, 0.7)))
        room = rng.standard_normal(len(decay)) * np.exp(-6.9 * decay / len(decay))
        room *= rng.uniform(0.1, 0.8) / np.sqrt((room**2).sum())
        room[0] += 1.0
        x = signal.fftconvolve(x, room)[: len(x)]
    if rng.random() < 0.35:
        cutoff_hz = rng.choice([2500, 3500, 5000, 6500])
        x = signal.sosfilt(signal.butter(4, cutoff_hz, fs=sample_rate_hz, output="sos"), x)
    if rng.random() < 0.25:
        cutoff_hz = rng.choice([100, 200, 300])
        x = signal.sosfilt(signal.butter(2, cutoff_hz, "high", fs=sample_rate_hz, output="sos"), x)
    x = x / (np.abs(x).max() + 1e-6) * 10 ** (rng.uniform(-22, 0) / 20)
    if rng.random() < 0.7:
        hiss = coloured_noise(len(x), rng.uniform(0.0, 1.5), rng)
        below_db = rng.uniform(8, 35)
        x = x + hiss * np.sqrt(np.mean(x**2)) * 10 ** (-below_db / 20)
    start = rng.integers(min(7680, max(1, len(x) // 3)))  # shifts the encoder's patches
    return np.clip(x[start:], -1.0, 1.0).astype(np.float32)


def coloured_noise(samples: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of RMS 1 whose amplitude falls as frequency ** -slope: 0 white, 0.5 pink, 1 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** -slope
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum, samples)
    return noise / (np.sqrt(np.mean(noise**2)) + 1e-12)


def save_tracks(path: Path, tracks: Sequence[Track]) -> None:
    """One .npz: frames of all tracks one after another, in float16."""
    np.savez(
        path,
        log_odds=np.concatenate([track.log_odds for track in tracks]).astype(np.float16),
        frames=[len(track.log_odds) for track in tracks],
        classes=[" ".join(map(str, track.classes)) for track in tracks],
    )


def load_tracks(path: Path) -> list[Track]:
    with np.load(path) as file:
        pieces = np.split(file["log_odds"].astype(np.float32), np.cumsum(file["frames"])[:-1])
        classes = [tuple(int(c) for c in row.split()) for row in file["classes"]]
    return [Track(*pair) for pair in zip(pieces, classes, strict=True)]
