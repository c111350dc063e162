"""BEATs, the published system's frozen encoder (Chen et al., ICML 2023).

Spectrogram patches pass through a post-norm transformer; its attention has relative position biases
as in T5, gated by the query (Chi et al., "XLM-E", gated relative position bias).
"""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from auricle.audio.fbank import HOP, MEL_BINS, SAMPLE_RATE_HZ, WINDOW, fbank, frame_counts
from auricle.model.config import BeatsConfig
from auricle.model.encoder import Augment, Encoder
from auricle.model.lengths import passes, published_lengths, valid_mask

SAMPLES_AT_ONCE = 10 * SAMPLE_RATE_HZ  # enough rows for a CPU's matrix products


class Beats(Encoder):
    """Waveforms -> [B, T, 768] at 50 tokens/s: 8 frequency patches for each 160 ms of sound.

    A recording shorter than one patch (2800 samples) is padded with silence.
    """

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, config: BeatsConfig, published_behaviour: bool = False) -> None:
        super().__init__()
        self.config = config
        self.published_behaviour = published_behaviour
        self.dim = config.dim
        self.together = self.bands = MEL_BINS // config.patch_size
        self.frame_rate_hz = SAMPLE_RATE_HZ / HOP / config.patch_size * self.bands
        self.min_samples = WINDOW + (config.patch_size - 1) * HOP
        self.span_s = self.min_samples / SAMPLE_RATE_HZ

        self.patches = nn.Conv2d(
            1, config.patch_dim, config.patch_size, config.patch_size, bias=config.patch_bias
        )
        self.patch_norm = nn.LayerNorm(config.patch_dim)
        self.projection = (
            nn.Linear(config.patch_dim, config.dim)
            if config.patch_dim != config.dim
            else nn.Identity()
        )
        self.position_conv = NormedConv1d(
            config.dim, config.position_kernel, config.position_groups
        )
        self.input_norm = nn.LayerNorm(config.dim)
        self.relative_bias = nn.Embedding(config.buckets, config.heads)
        self.layers = nn.ModuleList(BeatsLayer(config) for _ in range(config.output_layer))

    def forward(
        self, waveforms: Tensor, lengths: Tensor, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """See `Encoder.forward`; the features are those of layer ``output_layer``.

        Without gradients, a CPU encodes `SAMPLES_AT_ONCE` at a time, clips of similar length
        together: it needs the memory of one clip, and padding costs nothing.
        """
        whole = torch.is_grad_enabled() or augment or self.published_behaviour
        if whole or waveforms.device.type != "cpu":
            return self.transform(waveforms, lengths, augment)
        parts = [
            (clips, *self.transform(waveforms[clips, : int(lengths[clips].max())], lengths[clips]))
            for clips in passes(lengths, SAMPLES_AT_ONCE)
        ]
        features = parts[0][1].new_zeros(
            len(lengths), max(x.shape[1] for _, x, _ in parts), self.dim
        )
        frames = torch.empty_like(lengths)
        for clips, x, own_frames in parts:
            features[clips, : x.shape[1]] = x
            frames[clips] = own_frames
        return features, frames

    def transform(
        self, waveforms: Tensor, lengths: Tensor, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """`forward` of all clips at once."""
        x, lengths = self.embed_patches(waveforms, lengths, augment)
        x = self.add_positions(x, lengths)
        bias = self.position_bias(x.shape[1])
        mask = None
        if bool((lengths < x.shape[1]).any()):
            mask = valid_mask(lengths, x.shape[1])[:, None, None, :]
        for layer in self.layers:
            x = layer(x, bias, mask)
        return x, lengths

    def embed_patches(
        self, waveforms: Tensor, lengths: Tensor, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """[B, L] samples -> [B, T, dim] projected patch tokens, time-major, and their lengths."""
        if waveforms.shape[1] < self.min_samples:
            waveforms = F.pad(waveforms, (0, self.min_samples - waveforms.shape[1]))
        frames = fbank(waveforms)
        own_frames = frame_counts(lengths.clamp(min=self.min_samples))
        if augment:
            frames = augment(frames, own_frames)
        x = self.patches(frames.unsqueeze(1).to(self.patches.weight.dtype))  # [B, C, T/16, 8]
        x = x.flatten(2).transpose(1, 2)
        if self.published_behaviour:
            lengths = published_lengths(lengths, waveforms.shape[1], frames.shape[1])
            lengths = published_lengths(lengths, frames.shape[1], x.shape[1])
        else:
            lengths = own_frames // self.config.patch_size * self.bands
        return self.projection(self.patch_norm(x)), lengths

    def add_positions(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Zero the padding, add convolutional positions, apply LayerNorm."""
        x = x * valid_mask(lengths, x.shape[1]).unsqueeze(-1)
        positions = self.position_conv(x.transpose(1, 2))
        positions = positions[..., : x.shape[1]]  # an even kernel gives one step too many
        return self.input_norm(x + F.gelu(positions).transpose(1, 2))

    def position_bias(self, tokens: int) -> Tensor:
        """T5's bidirectional relative position bias, [heads, tokens, tokens].

        Half of the buckets are for keys after the query. In each half, the first half are exact
        distances, the others grow logarithmically to ``max_distance`` (Raffel et al., JMLR 2020).
        """
        device = self.relative_bias.weight.device
        distance = torch.arange(1 - tokens, tokens, device=device)  # key minus query
        half = self.config.buckets // 2
        exact = half // 2
        reach = distance.abs()
        scale = (half - exact) / math.log(self.config.max_distance / exact)
        far = exact + (torch.log(reach.clamp(min=1).float() / exact) * scale).long()
        bucket = torch.where(reach < exact, reach, far.clamp(max=half - 1))
        by_distance = self.relative_bias(bucket + half * (distance > 0)).T  # [heads, 2T-1]
        # Row i of the matrix is the window that starts at distance -i: a view, flipped.
        return by_distance.unfold(1, tokens, 1).flip(1)


class BeatsLayer(nn.Module):
    """Post-norm transformer layer with deep-norm residuals (Wang et al., "DeepNet")."""

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        self.alpha = (2 * config.layers) ** 0.25
        self.attention = GatedAttention(config.dim, config.heads)
        self.attention_norm = nn.LayerNorm(config.dim)
        self.ffn_in = nn.Linear(config.dim, config.ffn_dim)
        self.ffn_out = nn.Linear(config.ffn_dim, config.dim)
        self.ffn_norm = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        x = self.attention_norm(x * self.alpha + self.attention(x, bias, mask))
        return self.ffn_norm(x * self.alpha + self.ffn_out(F.gelu(self.ffn_in(x))))


class GatedAttention(nn.Module):
    """Self-attention with a relative position bias that is gated per head and query."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        self.gate = nn.Linear(dim // heads, 8)
        self.gate_scale = nn.Parameter(torch.ones(1, heads, 1, 1))

    def forward(self, x: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
        """``x`` [B, T, D], ``bias`` [heads, T, T], ``mask`` [B, 1, 1, T] True on valid keys."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, H, T, D/H]
            for layer in (self.query, self.key, self.value)
        )
        # The gate reads the query before it is scaled by 1/sqrt(D/H).
        update, reset = torch.sigmoid(self.gate(query).unflatten(-1, (2, 4)).sum(-1)).chunk(
            2, dim=-1
        )  # [B, H, T, 1] each
        gated = (update * (reset * self.gate_scale - 1.0) + 2.0) * bias
        if mask is not None:
            gated = gated.masked_fill(~mask, -torch.inf)
        x = F.scaled_dot_product_attention(query, key, value, attn_mask=gated.to(query.dtype))
        return self.out(x.transpose(1, 2).flatten(2))


class NormedConv1d(nn.Conv1d):
    """A convolution with weight norm that can be pickled, which torch refuses for its own."""

    def __init__(self, dim: int, kernel: int, groups: int) -> None:
        super().__init__(dim, dim, kernel, padding=kernel // 2, groups=groups)
        weight_norm(self, dim=2)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        shape = (self.in_channels, self.kernel_size[0], self.groups)
        frozen = not any(parameter.requires_grad for parameter in self.parameters())
        return _normed_conv, (shape, self.state_dict(), self.training, frozen)


def _normed_conv(
    shape: tuple[int, int, int], weights: dict[str, Tensor], training: bool, frozen: bool
) -> NormedConv1d:
    conv = NormedConv1d(*shape)
    conv.load_state_dict(weights, assign=True)
    return conv.train(training).requires_grad_(not frozen)
