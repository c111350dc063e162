"""YAMNet, the frozen encoder of the bundled model: waveform -> 521 AudioSet posteriors.

    waveform ─► log-mel ─► patches 96 x 64 ─► MobileNet v1 ─► mean ─► linear, sigmoid
    16 kHz      100/s      one every hop_s                    1024    521

Front end and network follow YAMNet in TensorFlow's model garden (research/audioset/yamnet:
params.py, features.py, yamnet.py); the network is MobileNet v1 (Howard et al., 2017, arXiv
1704.04861) with its batch normalisation folded into the convolutions. The published ReLUs have no
upper limit, and neither do ours. The weights come from an 8-bit graph that clips activations at
calibrated limits, which explains nearly all differences between its outputs and ours.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from auricle.errors import ModelError
from auricle.model.config import YamnetConfig
from auricle.model.encoder import Augment, Encoder
from auricle.model.meta import unfilled
from auricle.model.voice import VOICE_DIMS, Voice

SAMPLE_RATE_HZ = 16_000
WINDOW = 400  # samples, 25 ms
STEP = 160  # samples, 10 ms
FFT_SIZE = 512  # the power of two above WINDOW
MEL_BINS = 64
MEL_RANGE_HZ = (125.0, 7500.0)
LOG_OFFSET = 0.001
PATCH_FRAMES = 96  # 0.96 s of frames, computed from PATCH samples
PATCH = WINDOW + (PATCH_FRAMES - 1) * STEP  # samples, 0.975 s

# Output channels of the stem and of the 13 separable blocks, and the strides of the blocks.
CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
CLASSES = 521
DIMS = {"scores": CLASSES, "embeddings": CHANNELS[-1], "both": CLASSES + CHANNELS[-1]}

FRAMES_PER_CHUNK = 4096  # front end, whole batch: about 13 MB of samples and spectrum
PATCHES_PER_CHUNK = 32  # network: the fastest on a CPU, because its cache still holds a layer


class Yamnet(Encoder):
    """YAMNet as an `Encoder`. Its weights are frozen, and random until loaded.

    Frame t of the features covers 0.975 s from ``t * hop_s`` on. A clip of L samples has
    ``1 + ceil(max(0, L - 15600) / hop)`` frames: zeros pad it until whole patches cover its last
    sample, so a clip shorter than one patch has one frame.
    """

    sample_rate_hz = SAMPLE_RATE_HZ
    span_s = PATCH / SAMPLE_RATE_HZ

    def __init__(
        self, config: YamnetConfig | None = None, class_names: tuple[str, ...] | None = None
    ) -> None:
        super().__init__()
        self.config = config or YamnetConfig()
        self.hop_frames = round(self.config.hop_s * SAMPLE_RATE_HZ / STEP)
        self.frame_rate_hz = SAMPLE_RATE_HZ / STEP / self.hop_frames
        self.dim = width(self.config)
        self.classes = 0 if self.config.features == "embeddings" else CLASSES
        self.gives_log_odds = (self.config.features, self.config.scale) == ("scores", "log-odds")
        self.class_names = class_names or tuple(f"class {i}" for i in range(CLASSES))
        self.log_mel = LogMel()
        self.voice = Voice(PATCH, self.hop_frames * STEP) if self.config.voice else None
        self.stem = nn.Conv2d(1, CHANNELS[0], 3, stride=2)
        self.blocks = nn.ModuleList(
            SeparableBlock(inputs, outputs, stride)
            for (inputs, outputs), stride in zip(pairwise(CHANNELS), STRIDES, strict=True)
        )
        self.classifier = nn.Linear(CHANNELS[-1], CLASSES)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # keeps the variance through 27 ReLUs
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        # Depthwise convolutions are several times faster on a CPU with the channels last.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.requires_grad_(False)

    @classmethod
    def from_safetensors(cls, path: str | Path, config: YamnetConfig | None = None) -> Yamnet:
        """The trained YAMNet, in eval mode, from the file that `auricle.fetch.yamnet_wheel` writes.

        Raises ModelError: the file cannot be read or holds another network.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                names = tuple(json.loads((file.metadata() or {}).get("class_names", "[]")))
                state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path}: not a readable safetensors file ({error})") from error
        with unfilled():
            model = cls(config, names)
        try:
            model.load_state_dict(state, assign=True)
        except RuntimeError as error:
            raise ModelError(
                f"{path}: these are not YAMNet's weights; delete the file and run "
                "`auricle models fetch tiny`"
            ) from error
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return model.eval()

    def heard(self, peaks: Tensor, least: float, most: int) -> list[tuple[str, ...]]:
        """See `Encoder.heard`."""
        best = posteriors(peaks.float(), self.config.scale).topk(most)
        return [
            tuple(self.class_names[i] for p, i in zip(*row, strict=True) if p >= least)
            for row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]

    def frame_counts(self, lengths: Tensor) -> Tensor:
        """Frames of clips of ``lengths`` samples: LongTensor of the same shape."""
        hop = self.hop_frames * STEP
        return 1 + (lengths - PATCH).clamp(min=0).add(hop - 1).div(hop, rounding_mode="floor")

    def forward(
        self, waveforms: Tensor, lengths: Tensor, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """Features [B, T, dim] float32, zero after a clip's end, and their lengths [B] in frames.

        ``waveforms``: [B, L] float32 mono in [-1, 1] at 16 kHz; ``lengths``: LongTensor [B] in
        samples; ``augment`` changes the log-mel frames [B, T, 64]. Samples after a clip's length
        are ignored. Autocast is off, because the logarithm of the mel magnitudes needs float32.
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            return self.encode(waveforms.float(), lengths, augment)

    def encode(
        self, waveforms: Tensor, lengths: Tensor, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """`forward` in the precision of its caller."""
        lengths = lengths.to(waveforms.device)
        counts = self.frame_counts(lengths)
        steps = int(counts.max())
        hop = self.hop_frames
        padding = torch.arange(waveforms.shape[1], device=waveforms.device) >= lengths[:, None]
        samples = PATCH + (steps - 1) * hop * STEP
        waveforms = F.pad(
            waveforms.masked_fill(padding, 0.0), (0, samples - waveforms.shape[1])
        )  # a negative pad cuts

        frames = self.log_mel(waveforms)
        if augment:
            own_frames = (lengths - WINDOW).div(STEP, rounding_mode="floor").clamp(min=0) + 1
            frames = augment(frames, own_frames)
        patches = frames.unfold(1, PATCH_FRAMES, hop)  # [B, T, 64, 96], a view
        valid = torch.arange(steps, device=counts.device) < counts[:, None]
        clip, step = valid.nonzero(as_tuple=True)
        features = waveforms.new_zeros(len(waveforms), steps, DIMS[self.config.features])
        for some_clips, some_steps in zip(
            clip.split(PATCHES_PER_CHUNK), step.split(PATCHES_PER_CHUNK), strict=True
        ):
            chunk = patches[some_clips, some_steps].transpose(1, 2)  # [N, 96, 64]
            features[some_clips, some_steps] = self.features(chunk)
        if self.voice:
            voiced = self.voice(waveforms).masked_fill(~valid[..., None], 0.0)
            features = torch.cat([features, voiced], dim=-1)
        return features, counts

    def features(self, patches: Tensor) -> Tensor:
        """Log-mel patches [N, 96, 64] -> [N, dim], without the voice."""
        x = patches.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        x = F.relu(self.stem(F.pad(x, (0, 1, 0, 1))), inplace=True)
        for block in self.blocks:
            x = block(x)
        embeddings = x.mean(dim=(2, 3))
        if self.config.features == "embeddings":
            return embeddings
        scores = scaled(self.classifier(embeddings), self.config.scale)
        return scores if self.config.features == "scores" else torch.cat([scores, embeddings], -1)


class LogMel(nn.Module):
    """YAMNet's front end: waveforms [B, L] -> log-mel frames [B, 1 + (L - 400) // 160, 64]."""

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW, device="cpu"), persistent=False)
        self.register_buffer("filters", mel_filters(), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Natural log of (mel magnitude + 0.001), from windows that lie wholly inside L."""
        frames = waveforms.unfold(-1, WINDOW, STEP)  # a view; chunks limit the memory of long clips
        chunks = [
            torch.fft.rfft(chunk * self.window, FFT_SIZE).abs() @ self.filters
            for chunk in frames.split(max(1, FRAMES_PER_CHUNK // len(waveforms)), dim=1)
        ]
        return torch.cat(chunks, dim=1).add_(LOG_OFFSET).log_()


class SeparableBlock(nn.Module):
    """A depthwise 3 x 3 and a pointwise convolution, each with ReLU; [N, C, H, W]."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.depthwise = nn.Conv2d(
            inputs, inputs, 3, stride=stride, padding=1 if stride == 1 else 0, groups=inputs
        )
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 2:  # TensorFlow's SAME pads an even side after its end only
            x = F.pad(x, (0, 1, 0, 1))
        x = F.relu(self.depthwise(x), inplace=True)
        return F.relu(self.pointwise(x), inplace=True)


def width(config: YamnetConfig) -> int:
    """Numbers in a feature."""
    return DIMS[config.features] + (VOICE_DIMS if config.voice else 0)


def scaled(log_odds: Tensor, scale: str) -> Tensor:
    """Scores in the scale that a `YamnetConfig` names."""
    if scale == "posterior":
        return log_odds.sigmoid()
    if scale == "sqrt-odds":
        return (log_odds / 2).sigmoid()
    return (log_odds.clamp(-8.0, 4.0) + 8.0) / 6.0


def posteriors(scores: Tensor, scale: str) -> Tensor:
    """The way back from `scaled`; of log-odds, to the nearest that they can tell."""
    if scale == "posterior":
        return scores
    if scale == "sqrt-odds":
        return (2 * scores.logit()).sigmoid()
    return (6.0 * scores - 8.0).sigmoid()


def mel_filters() -> Tensor:
    """Triangles on the HTK mel scale, linear in mel (not in Hz), [257, 64] float32.

    As TensorFlow's ``linear_to_mel_weight_matrix``, with edges equally spaced in mel between 125
    and 7500 Hz.
    """
    with torch.device("cpu"):  # even while the model is built on "meta"
        bins_hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, FFT_SIZE // 2 + 1, dtype=torch.float64)
        low, high = (1127.0 * math.log1p(hz / 700.0) for hz in MEL_RANGE_HZ)
        position = (hz_to_mel(bins_hz)[:, None] - low) / (high - low) * (MEL_BINS + 1)
        centres = torch.arange(1, MEL_BINS + 1, dtype=torch.float64)  # of the triangles
        return (1 - (position - centres).abs()).clamp(min=0).float()


def hz_to_mel(hz: Tensor) -> Tensor:
    """The HTK mel scale."""
    return 1127.0 * torch.log1p(hz / 700.0)
