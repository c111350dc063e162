"""Architecture settings: one frozen dataclass per block of the figure.

Defaults are the published system's (Wu et al., ICASSP 2024, arXiv 2309.17352; numbers from its
released configuration).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from auricle.errors import ModelError
from auricle.schema import build


@dataclass(frozen=True)
class BeatsConfig:
    """BEATs, the frozen encoder. ``layers`` sets the deep-norm scale; only the first
    ``output_layer`` of them are built, because the others never run."""

    type: Literal["beats"] = "beats"
    layers: int = 12
    output_layer: int = 10
    patch_size: int = 16
    patch_dim: int = 512
    dim: int = 768
    heads: int = 12
    ffn_dim: int = 3072
    position_kernel: int = 128
    position_groups: int = 16
    buckets: int = 320
    max_distance: int = 800
    patch_bias: bool = False


@dataclass(frozen=True)
class YamnetConfig:
    """YAMNet, the frozen encoder of the bundled model: its hop and its features.

    ``hop_s`` is the time from one patch to the next in seconds, a multiple of 0.01 up to 0.96
    (published: 0.48; 0.24 or 0.16 give a finer timeline at two or three times the cost).
    ``features`` are the class "scores" (521 posteriors in [0, 1]), the "embeddings" below them
    (1024 values, 0 or more) or "both" (scores first). ``scale`` of the scores: "posterior" p,
    "sqrt-odds" sqrt(p) / (sqrt(p) + sqrt(1 - p)), or "log-odds", with -8 to 4 mapped to 0 to 2. The
    last two spread out small posteriors, which carry quiet sounds.

    Raises ModelError for any other value.
    """

    type: Literal["yamnet"] = "yamnet"
    hop_s: float = 0.48
    features: Literal["scores", "embeddings", "both"] = "scores"
    scale: Literal["posterior", "sqrt-odds", "log-odds"] = "posterior"

    def __post_init__(self) -> None:
        hops = self.hop_s * 100
        if not 1 <= round(hops) <= 96 or abs(hops - round(hops)) > 1e-6:
            raise ModelError(
                f"hop_s {self.hop_s!r}: YAMNet's hop is a multiple of 0.01 s from 0.01 to 0.96; "
                "choose for example 0.48"
            )
        if self.features not in ("scores", "embeddings", "both"):
            raise ModelError(
                f"features {self.features!r}: YAMNet gives scores, embeddings or both; name one"
            )
        if self.scale not in ("posterior", "sqrt-odds", "log-odds"):
            raise ModelError(
                f"scale {self.scale!r}: the scores' scale is posterior, sqrt-odds or log-odds"
            )


@dataclass(frozen=True)
class DownsampleConfig:
    """Strided convolution over the encoder's frames; ``kernel`` is int(round(rate * 1.5))."""

    rate: int = 3
    kernel: int = 4


@dataclass(frozen=True)
class ConformerConfig:
    dim: int = 768
    layers: int = 2
    heads: int = 12
    ffn_dim: int = 1536
    kernel: int = 31
    dropout: float = 0.1


@dataclass(frozen=True)
class EmbeddingConfig:
    """Pooling and the MLP that predicts the caption's text embedding of width ``dim``.

    ``pooling``: the "mean" over time, as published; "query", a learned query that attends to the
    frames; or "self-attention" and a linear map, then the mean. The last two have
    ``pooling_heads`` heads; this number must divide the width of the decoder.
    """

    hidden_dim: int = 3072
    dim: int = 768
    pooling: Literal["mean", "query", "self-attention"] = "mean"
    pooling_heads: int = 4

    def __post_init__(self) -> None:
        if self.pooling not in ("mean", "query", "self-attention"):
            raise ModelError(
                f"pooling {self.pooling!r}: recordings are pooled by mean, query or self-attention"
            )
        if self.pooling_heads < 1:
            raise ModelError(f"pooling_heads {self.pooling_heads!r}: must be at least 1")


@dataclass(frozen=True)
class DecoderConfig:
    """BART's decoder: post-norm, learned positions, tied output embedding."""

    vocab_size: int = 50_265
    dim: int = 768
    layers: int = 6
    heads: int = 16
    ffn_dim: int = 3072
    max_positions: int = 128
    max_memory: int = 512
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.1
    pad_id: int = 1
    eos_id: int = 2
    start_id: int = 2


@dataclass(frozen=True)
class CaptionerConfig:
    """The whole model. ``published_behaviour`` reproduces the published system's treatment of
    padded batches (heuristic masks, unmasked convolutions, pooling over padding) for parity."""

    encoder: BeatsConfig | YamnetConfig = field(default_factory=BeatsConfig)
    downsample: DownsampleConfig = field(default_factory=DownsampleConfig)
    conformer: ConformerConfig = field(default_factory=ConformerConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    max_duration_s: float = 30.0
    published_behaviour: bool = False

    def __post_init__(self) -> None:
        if self.embedding.pooling == "mean":
            return
        if self.published_behaviour:
            raise ModelError(
                f"pooling {self.embedding.pooling!r}: published_behaviour supports only the mean"
            )
        if self.decoder.dim % self.embedding.pooling_heads:
            raise ModelError(
                f"pooling_heads {self.embedding.pooling_heads}: must divide the decoder's width,"
                f" {self.decoder.dim}"
            )

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CaptionerConfig:
        """The inverse of ``to_dict``; a missing key takes its default.

        Raises:
            ModelError: a key or encoder type is unknown; names it.
        """
        return build(cls, values, "model")


def debug_config(vocab_size: int = 300, embedding_dim: int = 384) -> CaptionerConfig:
    """A small model of the published shape for tests: 0.4 M parameters."""
    dim = 48
    return CaptionerConfig(
        encoder=BeatsConfig(
            layers=3,
            output_layer=2,
            patch_dim=32,
            dim=dim,
            heads=4,
            ffn_dim=96,
            position_kernel=16,
            position_groups=4,
            buckets=32,
            max_distance=80,
        ),
        conformer=ConformerConfig(dim=dim, layers=2, heads=4, ffn_dim=96),
        embedding=EmbeddingConfig(hidden_dim=96, dim=embedding_dim),
        decoder=DecoderConfig(vocab_size=vocab_size, dim=dim, layers=2, heads=4, ffn_dim=96),
    )
