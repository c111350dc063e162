"""Voice: pitch and voicing of what sounds, which YAMNet's classes leave out.

    waveform ─► spectra ─► autocorrelations ─► pitch and strength ─► means per patch
    16 kHz      50/s       at 222 pitches      per window            12 numbers

YAMNet has one class for the speech of men and women. What tells them apart is how often a second
the vocal folds open (men about 85 to 155, women 165 to 255, children 250 to 400) and how long the
throat is, which tilts the spectrum. The autocorrelation is divided by the window's own, so that a
period counts alike at every pitch (Boersma, 1993), and made of magnitudes instead of powers, so
that a single loud tone does not decide (Tolonen and Karjalainen, 2000).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SAMPLE_RATE_HZ = 16_000
WINDOW = 1024  # samples, 64 ms: five periods of a low voice
STEP = 320  # samples, 20 ms; half of it where the patches' hop is no multiple
FFT_SIZE = 2048
BAND_HZ = (60.0, 100.0, 1500.0, 2200.0)  # where periods are sought, with its slopes
LOWEST_HZ, HIGHEST_HZ = 65.0, 500.0  # of a voice
SOUGHT_HZ = 1600.0  # the highest pitch sought: a whistle's, of which a voice's is a fraction
PER_OCTAVE = 48
VOICE_OCTAVES = math.log2(HIGHEST_HZ / LOWEST_HZ)
OCTAVE_COST = 0.03  # of an octave down, because twice a period is a period too
SHARE_OF_PARTS = 0.25  # of the strengths of a half and a third of a period, taken off its own
SHARPNESS = 40.0  # of the choice of a pitch
STRENGTHS = (0.25, 0.65)  # of a period: from no voice to a clear one; noise has 0.1 to 0.2
LOUDNESS_EXPONENT = 0.3  # a window counts by its energy relative to its patch's loudest
BINS = 8  # of pitch, 0.42 octaves apart
LITTLE = 0.03  # voiced share of a patch at which its evidence counts half
SHAPE_HZ = (200.0, 700.0, 1500.0, 3800.0)  # edges of the bands whose levels are compared
SHAPE_DB = 30.0
VOICE_DIMS = 2 + BINS + 2

TINY = 1e-20  # instead of the sums of digital silence
WINDOWS_PER_CHUNK = 512  # whole batch; what a chunk needs stays in the cache of a CPU


class Voice(nn.Module):
    """Waveforms -> `VOICE_DIMS` numbers from 0 to 2 per patch, all 0 where nothing is voiced.

    Columns:
        0: voiced share of the patch;
        1: movement of the pitch in octaves a second: speech glides, hum does not;
        2 to 9: distribution of the pitch over 65 to 500 Hz, its sum 2 where the evidence is clear;
        10, 11: level of 700 to 1500 and of 1500 to 3800 Hz in what is voiced, relative to that of
            200 to 700 Hz: 1 for as loud, 0 for 30 dB below.

    They do not depend on the level of the sound. ``patch`` and ``hop`` are in samples.
    """

    window: Tensor
    octaves: Tensor
    cosines: Tensor
    bins: Tensor
    bands: Tensor

    def __init__(self, patch: int, hop: int) -> None:
        super().__init__()
        self.step = STEP if hop % STEP == 0 else STEP // 2
        # Pitch is heard in three windows and glides between two pitches, none beyond the patch.
        self.patch_windows = 1 + (patch - WINDOW) // self.step - 3
        self.hop_windows = hop // self.step
        with torch.device("cpu"):  # even while the model is built on "meta"
            window = torch.hann_window(WINDOW, dtype=torch.float64)
            count = round(math.log2(SOUGHT_HZ / LOWEST_HZ) * PER_OCTAVE)
            octaves = torch.arange(count, dtype=torch.float64) / PER_OCTAVE  # above the lowest
            place = octaves / VOICE_OCTAVES * (BINS - 1)
            tables = {
                "window": window,
                "octaves": octaves,
                "cosines": _cosines(window, octaves),
                "bins": (1 - (place[:, None] - torch.arange(BINS)).abs()).clamp(min=0),
                "bands": _bands(),
            }
        for name, table in tables.items():
            self.register_buffer(name, table.float(), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """[B, L] float32 at 16 kHz -> [B, T, 12] of the patches that lie wholly inside L."""
        windows = waveforms.unfold(-1, WINDOW, self.step)
        size = max(1, WINDOWS_PER_CHUNK // len(waveforms))
        starts = range(0, windows.shape[1] - 2, size)
        heard = torch.cat([self._heard(windows[:, i : i + size + 2]) for i in starts], dim=1)
        glide = (heard[:, 1:, :1] - heard[:, :-1, :1]).abs() * (SAMPLE_RATE_HZ / self.step)
        columns = torch.cat([heard[:, 1:, 1:], glide.clamp(max=2)], dim=-1)
        patches = columns.unfold(1, self.patch_windows, self.hop_windows)  # [B, T, 13, windows]
        energy, strength, shape, bins, glide = patches.split([1, 1, 2, BINS, 1], dim=2)
        loudest = energy.amax(dim=-1, keepdim=True).clamp(min=TINY)
        weights = strength * (energy / loudest).pow(LOUDNESS_EXPONENT)
        share = weights.mean(dim=-1)
        values = torch.cat([glide, 2 * bins, shape], dim=2)
        return torch.cat([share, (values * weights).mean(dim=-1) / (share + LITTLE)], dim=-1)

    def _heard(self, windows: Tensor) -> Tensor:
        """[B, N, 1024] -> of every three windows, from the middle one: pitch in octaves above the
        lowest, energy, strength, levels of two bands, bins of pitch; [B, N - 2, 13]."""
        spectrum = torch.fft.rfft(windows * self.window, FFT_SIZE)[..., : len(self.bands)]
        power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)  # abs takes longer
        sums = power[..., : len(self.cosines)].sqrt() @ self.cosines
        periods = sums[..., :-1] / sums[..., -1:].clamp(min=TINY)  # [B, N, P], 1 at the most
        periods = (periods[:, :-2] + periods[:, 1:-1] + periods[:, 2:]) / 3
        merit = periods + OCTAVE_COST * self.octaves.clamp(max=VOICE_OCTAVES)
        for part in (2, 3):
            above = round(math.log2(part) * PER_OCTAVE)
            parts = F.pad(periods[..., above:].clamp(min=0), (0, above))
            merit = merit - SHARE_OF_PARTS * parts
        choice = (merit * SHARPNESS).softmax(dim=-1)
        bins = choice @ self.bins  # their sum falls from 1 to 0 above the highest voice
        low, high = STRENGTHS
        clear = (((choice * periods).sum(-1, keepdim=True) - low) / (high - low)).clamp(0, 1)
        strength = clear * bins.sum(-1, keepdim=True)
        pitch = (choice @ self.octaves)[..., None]
        energies = power[:, 1:-1] @ self.bands
        levels_db = 10 * energies[..., 1:].clamp(min=TINY).log10()
        shape = (1 + (levels_db[..., 1:] - levels_db[..., :1]) / SHAPE_DB).clamp(0, 2)
        return torch.cat([pitch, energies[..., :1], strength, shape, bins], dim=-1)


def _cosines(window: Tensor, octaves: Tensor) -> Tensor:
    """Magnitudes -> autocorrelations at the pitches, and last their sum: [F, P + 1] float64."""
    low, flat, slope, high = BAND_HZ
    periods_s = 1 / (LOWEST_HZ * 2.0**octaves)
    hz = _bins_hz(high)
    band = torch.minimum((hz - low) / (flat - low), (high - hz) / (high - slope)).clamp(0, 1)
    lobe_hz = _bins_hz(2.0 * SAMPLE_RATE_HZ / WINDOW, FFT_SIZE * 16)  # half of a tone's
    lobe = torch.fft.rfft(window, FFT_SIZE * 16).abs()[: len(lobe_hz)]
    lobe[0] /= 2
    own = (lobe[:, None] * _cosine(lobe_hz, periods_s)).sum(dim=0) / lobe.sum()
    return torch.cat([band[:, None] * _cosine(hz, periods_s) / own, band[:, None]], dim=1)


def _cosine(hz: Tensor, periods_s: Tensor) -> Tensor:
    return torch.cos(2 * math.pi * hz[:, None] * periods_s)


def _bands() -> Tensor:
    """Powers -> energies above the lowest voice and in the bands of `SHAPE_HZ`: [F, 4]."""
    hz = _bins_hz(SHAPE_HZ[-1])
    edges = ((BAND_HZ[0], SHAPE_HZ[-1]), *pairwise(SHAPE_HZ))
    return torch.stack([(hz >= low) & (hz < high) for low, high in edges], dim=1).double()


def _bins_hz(below_hz: float, size: int = FFT_SIZE) -> Tensor:
    """Frequencies of the bins of a Fourier transform up to a limit."""
    bins = torch.arange(math.ceil(below_hz / SAMPLE_RATE_HZ * size), dtype=torch.float64)
    return bins * SAMPLE_RATE_HZ / size
