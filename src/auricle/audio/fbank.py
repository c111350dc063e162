"""Kaldi-compatible log-mel filter-bank features, batched and on any device.

The settings are those of BEATs' training (Chen et al., "BEATs", ICML 2023, appendix A; Kaldi's
``compute-fbank-feats``): 128 mel bins from 20 Hz to 8 kHz, 25 ms Povey windows every 10 ms.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

SAMPLE_RATE_HZ = 16_000
WINDOW = SAMPLE_RATE_HZ * 25 // 1000  # 400 samples
HOP = SAMPLE_RATE_HZ * 10 // 1000  # 160 samples
FFT_SIZE = 1 << (WINDOW - 1).bit_length()  # 512: the window rounded up to a power of two
MEL_BINS = 128
LOW_HZ, HIGH_HZ = 20.0, SAMPLE_RATE_HZ / 2
PREEMPHASIS = 0.97
INT16_SCALE = 2.0**15  # Kaldi reads 16-bit integers
# Mean and twice the standard deviation of AudioSet's log-mels, from the released BEATs code.
DATASET_MEAN, DATASET_STD = 15.41663, 6.55582
# Of what is silent, after the normalisation.
FLOOR = float(
    torch.tensor((math.log(torch.finfo(torch.float32).eps) - DATASET_MEAN) / (2 * DATASET_STD))
)


def frame_counts(lengths: Tensor) -> Tensor:
    """Whole frames in ``lengths`` samples (Kaldi's snip-edges), same shape."""
    return (1 + (lengths - WINDOW).div(HOP, rounding_mode="floor")).clamp(min=0)


def fbank(waveforms: Tensor) -> Tensor:
    """Log-mel energies of ``waveforms``, normalised as BEATs expects.

    Args:
        waveforms: [B, L] float32 in [-1, 1] at 16 kHz, L at least 400 samples.

    Returns:
        [B, T, 128] float32 with T = 1 + (L - 400) // 160: natural logarithms, floored at float32
        epsilon, then (x - 15.41663) / (2 * 6.55582). Mel bin 3 has an empty filter at this
        resolution and always holds the floor, as in the published system.
    """
    # float32 FFTs have rounding errors in quiet bins beside loud ones (0.01 in log-mel); float64
    # costs little here, and only Apple's GPUs lack it.
    precision = torch.float32 if waveforms.device.type == "mps" else torch.float64
    frames = (waveforms.to(precision) * INT16_SCALE).unfold(-1, WINDOW, HOP)  # [B, T, 400]
    frames = frames - frames.mean(dim=-1, keepdim=True)
    previous = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    frames = (frames - PREEMPHASIS * previous) * _povey_window(frames.device, precision)
    power = torch.fft.rfft(F.pad(frames, (0, FFT_SIZE - WINDOW))).abs().square()  # [B, T, 257]
    energies = power @ _mel_filters(frames.device, precision)
    log_mel = energies.clamp(min=torch.finfo(torch.float32).eps).log()
    return ((log_mel - DATASET_MEAN) / (2 * DATASET_STD)).float()


@lru_cache(maxsize=4)
def _povey_window(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Hann window to the power 0.85, [400]."""
    return torch.hann_window(WINDOW, periodic=False, device=device, dtype=dtype).pow(0.85)


@lru_cache(maxsize=4)
def _mel_filters(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Triangular filters equally spaced on Kaldi's mel scale, [257, 128]; the Nyquist row is 0."""
    low, high = mel(LOW_HZ), mel(HIGH_HZ)
    step = (high - low) / (MEL_BINS + 1)
    left = low + torch.arange(MEL_BINS).unsqueeze(1) * step
    bin_hz = SAMPLE_RATE_HZ / FFT_SIZE * torch.arange(FFT_SIZE // 2)
    mels = 1127.0 * torch.log1p(bin_hz / 700.0)
    rising = (mels - left) / step
    falling = (left + 2 * step - mels) / step
    filters = torch.minimum(rising, falling).clamp(min=0)  # [128, 256]
    return F.pad(filters, (0, 1)).T.contiguous().to(device, dtype)


def mel(hertz: float) -> float:
    return 1127.0 * math.log(1.0 + hertz / 700.0)
