"""The floor: the arithmetic of captioning, by formula, and the peak of matrix products.

The formulas count multiplications and additions (2 per pair) of matrix products, convolutions and
attention, but not element-wise work, normalisation, softmax and the Fourier transform. They assume
that a clip is encoded once, keys and values are cached, the rows of a clip share its memory, and
the search sums the likelihoods.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch

from auricle.audio.fbank import FFT_SIZE, HOP, MEL_BINS, WINDOW
from auricle.model import yamnet
from auricle.model.config import (
    BeatsConfig,
    CaptionerConfig,
    ConformerConfig,
    DecoderConfig,
    YamnetConfig,
)
from auricle.model.packing import PackedLinear, quantise

PEAK_SIZE = 2048  # side of the square matrices


def encode_flops(config: CaptionerConfig, samples: int) -> int:
    """From the waveform of one clip to its memory and audio embedding."""
    dim = config.conformer.dim
    frames, flops, width = _encoder(config.encoder, samples)
    memory = memory_frames(config, frames)
    flops += 2 * memory * config.downsample.kernel * width * dim
    flops += config.conformer.layers * _conformer_layer(config.conformer, memory)
    if dim != config.decoder.dim:
        flops += 2 * memory * dim * config.decoder.dim
    assert config.embedding.pooling == "mean", "the arithmetic of attention pooling is not counted"
    head = config.embedding
    return flops + 2 * head.hidden_dim * (config.decoder.dim + head.dim)


def memory_frames(config: CaptionerConfig, encoder_frames: int) -> int:
    return (encoder_frames - config.downsample.kernel) // config.downsample.rate + 1


def cross_flops(config: DecoderConfig, frames: int) -> int:
    """The cross-attention keys and values of one memory, in all layers."""
    return config.layers * 4 * frames * config.dim**2


def token_flops(config: DecoderConfig, position: int, frames: int) -> int:
    """One token, at ``position`` in its row (from 1), to the logits of the next."""
    dim = config.dim
    weights = 6 * dim**2 + 2 * dim * config.ffn_dim  # q, k, v, out; q, out of cross; feed-forward
    attention = 2 * dim * (position + frames)  # products with keys and with values
    return 2 * (config.layers * (weights + attention) + dim * config.vocab_size)


def row_flops(config: DecoderConfig, tokens: int, frames: int) -> int:
    """``tokens`` tokens of a row, step by step or at once."""
    return sum(token_flops(config, position, frames) for position in range(1, tokens + 1))


def search_flops(config: DecoderConfig, rows: Iterable[Sequence[int]], frames: int) -> int:
    """Every distinct prefix of a clip's ``rows`` once; rows hold the start token and the drawn
    tokens, without the end."""
    beginnings = {tuple(row[:length]) for row in rows for length in range(1, len(row) + 1)}
    return sum(token_flops(config, len(beginning), frames) for beginning in beginnings)


def _encoder(config: BeatsConfig | YamnetConfig, samples: int) -> tuple[int, int, int]:
    """Frames, arithmetic and width of a frozen encoder's features."""
    if isinstance(config, BeatsConfig):
        return _beats(config, samples)
    return _yamnet(config, samples)


def _beats(config: BeatsConfig, samples: int) -> tuple[int, int, int]:
    frames = 1 + (samples - WINDOW) // HOP
    tokens = frames // config.patch_size * (MEL_BINS // config.patch_size)
    dim = config.dim
    mel = 2 * frames * (FFT_SIZE // 2 + 1) * MEL_BINS
    patches = 2 * tokens * config.patch_size**2 * config.patch_dim
    projection = 2 * tokens * config.patch_dim * dim if config.patch_dim != dim else 0
    positions = 2 * tokens * config.position_kernel * dim * dim // config.position_groups
    attention = 8 * tokens * dim**2 + 4 * tokens**2 * dim + 2 * tokens * dim * 8  # and its gate
    layer = attention + 4 * tokens * dim * config.ffn_dim
    return tokens, mel + patches + projection + positions + config.output_layer * layer, dim


def _yamnet(config: YamnetConfig, samples: int) -> tuple[int, int, int]:
    hop = round(config.hop_s * yamnet.SAMPLE_RATE_HZ)
    patches = 1 + math.ceil(max(0, samples - yamnet.PATCH) / hop)
    used = yamnet.PATCH + (patches - 1) * hop
    log_mel_frames = 1 + (used - yamnet.WINDOW) // yamnet.STEP
    mel = 2 * log_mel_frames * (yamnet.FFT_SIZE // 2 + 1) * yamnet.MEL_BINS
    height, width = yamnet.PATCH_FRAMES // 2, yamnet.MEL_BINS // 2
    patch = 2 * height * width * 9 * yamnet.CHANNELS[0]
    for inputs, outputs, stride in zip(
        yamnet.CHANNELS, yamnet.CHANNELS[1:], yamnet.STRIDES, strict=False
    ):
        height, width = math.ceil(height / stride), math.ceil(width / stride)
        patch += 2 * height * width * inputs * (9 + outputs)
    if config.features != "embeddings":
        patch += 2 * yamnet.CHANNELS[-1] * yamnet.CLASSES
    return patches, mel + patches * patch, yamnet.width(config)


def _conformer_layer(config: ConformerConfig, frames: int) -> int:
    dim, distances = config.dim, 2 * frames - 1
    feed_forward = 2 * 4 * frames * dim * config.ffn_dim  # two of them
    attention = 8 * frames * dim**2 + 4 * frames**2 * dim
    relative = 2 * distances * dim**2 + 2 * frames * distances * dim
    convolution = 6 * frames * dim**2 + 2 * frames * dim * config.kernel
    return feed_forward + attention + relative + convolution


class Peak(NamedTuple):
    """PyTorch's fastest product of square matrices of side `PEAK_SIZE`, in GFLOP per second of wall
    time and of CPU time."""

    wall: float
    cpu: float


def measure_peak(precision: str) -> Peak:
    """The peak of this process at this precision, over all of PyTorch's libraries."""
    seconds = [_seconds(run) for run in _products(precision) for _ in range(5)]
    wall, cpu = (2 * PEAK_SIZE**3 / min(column) / 1e9 for column in zip(*seconds, strict=True))
    return Peak(wall, cpu)


def _products(precision: str) -> list[Callable[[], object]]:
    a, b = torch.randn(2, PEAK_SIZE, PEAK_SIZE).unbind()
    if precision == "int8":
        a, b = quantise(a)[0], quantise(b)[0]
        return [lambda: torch._int_mm(a, b)]
    if precision == "bf16":
        a, b = a.bfloat16(), b.bfloat16()
    packed = PackedLinear(b, None, b.dtype)
    return [lambda: a @ b, lambda: packed(a)]


@torch.inference_mode()
def _seconds(run: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu
