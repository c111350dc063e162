"""The whole model: frozen encoder -> downsampling -> Conformer -> embedding head and decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from auricle.model.bart import BartDecoder
from auricle.model.beats import Beats
from auricle.model.config import CaptionerConfig, YamnetConfig
from auricle.model.conformer import Conformer
from auricle.model.downsample import Downsample
from auricle.model.encoder import Augment, Encoder
from auricle.model.pooling import EmbeddingHead


@dataclass(frozen=True)
class AudioMemory:
    """Everything that decoding needs of B clips, computed once.

    Attributes:
        memory: [B, T, D] Conformer output.
        lengths: [B] valid frames of ``memory``.
        embedding: [B, E] audio embedding in the text embedder's space, not normalised.
        peaks: [B, C] the highest score of each of the encoder's classes; None if it has none.
    """

    memory: Tensor
    lengths: Tensor
    embedding: Tensor
    peaks: Tensor | None = None

    def __len__(self) -> int:
        return self.memory.shape[0]

    def __getitem__(self, clips: slice | list[int]) -> AudioMemory:
        """The memory of some of the clips."""
        peaks = None if self.peaks is None else self.peaks[clips]
        return AudioMemory(self.memory[clips], self.lengths[clips], self.embedding[clips], peaks)


class AudioCaptioner(nn.Module):
    """The published architecture (Wu et al., ICASSP 2024, figure 1).

    The encoder is frozen until its parameters require gradients.

    ``precision`` is set by `auricle.model.precision.convert`, for inference only.
    """

    precision: str | None = None

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        self.config = config
        published, dim = config.published_behaviour, config.conformer.dim
        self.encoder = build_encoder(config).requires_grad_(False)
        self.downsample = Downsample(config.downsample, self.encoder.dim, dim, published)
        self.conformer = Conformer(config.conformer, published)
        self.memory_projection = (
            nn.Linear(dim, config.decoder.dim, bias=False)
            if dim != config.decoder.dim
            else nn.Identity()
        )
        self.embedding_head = EmbeddingHead(config.embedding, config.decoder.dim, published)
        self.decoder = BartDecoder(config.decoder)
        for block in (self.downsample, self.conformer, self.embedding_head, self.decoder):
            block.apply(_initialise)

    @property
    def device(self) -> torch.device:
        return self.decoder.logits_bias.device

    @property
    def tunes_encoder(self) -> bool:
        return any(parameter.requires_grad for parameter in self.encoder.parameters())

    def train(self, mode: bool = True) -> AudioCaptioner:
        """Training mode for all except a frozen encoder (quirk 5 of the published system)."""
        super().train(mode)
        self.encoder.train(mode and self.tunes_encoder)
        return self

    def encode(self, waveforms: Sequence[Tensor | np.ndarray]) -> AudioMemory:
        """Waveforms [L_i], float32 mono at the encoder's rate, in [-1, 1] -> their memory."""
        return self.encode_features(*self.features(*padded(waveforms, self.device)))

    def features(
        self, waveforms: Tensor, lengths: Tensor, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """See `Encoder.forward`; without gradients if the encoder is frozen."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.tunes_encoder):
            return self.encoder(waveforms, lengths, augment)

    def encode_features(
        self, features: Tensor, lengths: Tensor, augment: Augment | None = None
    ) -> AudioMemory:
        """[B, T, encoder dim] features and [B] frames -> memory; training starts here.

        ``augment`` changes the frames after downsampling, at the width of the model.
        """
        classes = self.encoder.classes
        peaks = features[..., :classes].amax(dim=1) if classes else None  # 0 after a clip's end
        features = features.to(self.decoder.logits_bias.dtype)  # YAMNet's are always float32
        x, lengths = self.downsample(features, lengths)
        if augment:
            x = augment(x, lengths)
        x = self.memory_projection(self.conformer(x, lengths))
        return AudioMemory(x, lengths, self.embedding_head(x, lengths), peaks)

    def frames_in(self, seconds: float) -> int:
        """The frames of the memory of so long a recording, at most what the decoder can read."""
        features = self.encoder.frames_of(0.0, seconds).stop
        kernel, rate = self.config.downsample.kernel, self.config.downsample.rate
        return min((max(features, kernel) - kernel) // rate + 1, self.config.decoder.max_memory)

    def logits(self, memory: AudioMemory, token_ids: Tensor) -> Tensor:
        """Teacher forcing: decoder inputs [B * N, L], start token first -> [B * N, L, V].

        The rows are N token sequences per clip, ordered by clip.
        """
        return self.decoder(token_ids, self.decoder.read_memory(memory.memory, memory.lengths))


def padded(waveforms: Sequence[Tensor | np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    """Waveforms [L_i] -> [B, L] float32, padded with zeros at the end, and [B] samples."""
    clips = [torch.as_tensor(w, dtype=torch.float32) for w in waveforms]
    lengths = torch.tensor([len(clip) for clip in clips], device=device)
    return pad_sequence(clips, batch_first=True).to(device), lengths


def build_encoder(config: CaptionerConfig) -> Encoder:
    """The encoder that a configuration names, with random weights."""
    if isinstance(config.encoder, YamnetConfig):
        from auricle.model.yamnet import Yamnet

        return Yamnet(config.encoder)
    return Beats(config.encoder, config.published_behaviour)


def _initialise(module: nn.Module) -> None:
    """Normal weights of standard deviation 0.02, zero biases (published training set-up)."""
    if isinstance(module, nn.Linear | nn.Embedding | nn.Conv1d):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear | nn.Conv1d) and module.bias is not None:
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        nn.init.zeros_(module.weight[module.padding_idx])
