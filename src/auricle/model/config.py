"""Architecture settings: one frozen dataclass per block of the figure.

Defaults are the published system's (Wu et al., ICASSP 2024, arXiv 2309.17352; numbers from its
released configuration). Ranges, generous, keep a config.json from naming a model that no memory
holds; a value out of range raises ValueError, or ModelError where a file is read.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from auricle.errors import ModelError
from auricle.schema import Range, build, check

Layers: TypeAlias = Annotated[int, Range(1, 100)]
Heads: TypeAlias = Annotated[int, Range(1, 256)]
Width: TypeAlias = Annotated[int, Range(1, 16_384)]
InnerWidth: TypeAlias = Annotated[int, Range(1, 65_536)]
Kernel: TypeAlias = Annotated[int, Range(1, 1_024)]
Positions: TypeAlias = Annotated[int, Range(2, 16_384)]
TokenId: TypeAlias = Annotated[int, Range(0, 999_999)]
Dropout: TypeAlias = Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class BeatsConfig:
    """BEATs, the frozen encoder. ``layers`` sets the deep-norm scale; only the first
    ``output_layer`` of them are built, because the others never run."""

    type: Literal["beats"] = "beats"
    layers: Layers = 12
    output_layer: Layers = 10
    patch_size: Annotated[int, Range(1, 128)] = 16
    patch_dim: Width = 512
    dim: Width = 768
    heads: Heads = 12
    ffn_dim: InnerWidth = 3072
    position_kernel: Kernel = 128
    position_groups: Annotated[int, Range(1, 16_384)] = 16
    buckets: Annotated[int, Range(4, 16_384)] = 320
    max_distance: Annotated[int, Range(2, 1_000_000)] = 800
    patch_bias: bool = False

    def __post_init__(self) -> None:
        rules = {
            "output_layer": (self.output_layer <= self.layers, f"at most layers, {self.layers}"),
            "heads": _divides(self.heads, "dim", self.dim),
            "position_groups": _divides(self.position_groups, "dim", self.dim),
            "max_distance": (
                self.max_distance > self.buckets // 4,
                f"above a quarter of buckets, {self.buckets // 4}",
            ),
        }
        check(self, rules)


@dataclass(frozen=True)
class YamnetConfig:
    """YAMNet, the frozen encoder of the bundled model: its hop and its features.

    ``hop_s`` is the time from one patch to the next in seconds, a multiple of 0.01 up to 0.96
    (published: 0.48; 0.24 or 0.16 give a finer timeline at two or three times the cost).
    ``features`` are the class "scores" (521 posteriors in [0, 1]), the "embeddings" below them
    (1024 values, 0 or more) or "both" (scores first). ``scale`` of the scores: "posterior" p,
    "sqrt-odds" sqrt(p) / (sqrt(p) + sqrt(1 - p)), or "log-odds", with -8 to 4 mapped to 0 to 2. The
    last two spread out small posteriors, which carry quiet sounds. ``voice`` adds the numbers of
    `auricle.model.voice` at the end: pitch and voicing, which tell a man from a woman.

    Raises ModelError for any other value.
    """

    type: Literal["yamnet"] = "yamnet"
    hop_s: float = 0.48
    features: Literal["scores", "embeddings", "both"] = "scores"
    scale: Literal["posterior", "sqrt-odds", "log-odds"] = "posterior"
    voice: bool = False

    def __post_init__(self) -> None:
        hops = self.hop_s * 100
        if not 0.5 < hops < 96.5 or abs(hops - round(hops)) > 1e-6:
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

    rate: Annotated[int, Range(1, 64)] = 3
    kernel: Kernel = 4

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class ConformerConfig:
    dim: Width = 768
    layers: Annotated[int, Range(0, 100)] = 2
    heads: Heads = 12
    ffn_dim: InnerWidth = 1536
    kernel: Kernel = 31
    dropout: Dropout = 0.1

    def __post_init__(self) -> None:
        rules = {
            "dim": (self.dim % 2 == 0, "even, for its sines and cosines of positions"),
            "heads": _divides(self.heads, "dim", self.dim),
            "kernel": (self.kernel % 2 == 1, "odd, so that there are as many frames after it"),
        }
        check(self, rules)


@dataclass(frozen=True)
class EmbeddingConfig:
    """Pooling and the MLP that predicts the caption's text embedding of width ``dim``.

    ``pooling``: the "mean" over time, as published; "query", a learned query that attends to the
    frames; or "self-attention" and a linear map, then the mean. The last two have
    ``pooling_heads`` heads; this number must divide the width of the decoder.
    """

    hidden_dim: InnerWidth = 3072
    dim: Width = 768
    pooling: Literal["mean", "query", "self-attention"] = "mean"
    pooling_heads: Heads = 4

    def __post_init__(self) -> None:
        if self.pooling not in ("mean", "query", "self-attention"):
            raise ModelError(
                f"pooling {self.pooling!r}: recordings are pooled by mean, query or self-attention"
            )
        if self.pooling_heads < 1:
            raise ModelError(f"pooling_heads {self.pooling_heads!r}: must be at least 1")
        check(self)


@dataclass(frozen=True)
class DecoderConfig:
    """BART's decoder: post-norm, learned positions, tied output embedding."""

    vocab_size: Annotated[int, Range(3, 1_000_000)] = 50_265
    dim: Width = 768
    layers: Layers = 6
    heads: Heads = 16
    ffn_dim: InnerWidth = 3072
    max_positions: Positions = 128
    max_memory: Positions = 512
    dropout: Dropout = 0.1
    attention_dropout: Dropout = 0.1
    activation_dropout: Dropout = 0.1
    pad_id: TokenId = 1
    eos_id: TokenId = 2
    start_id: TokenId = 2

    def __post_init__(self) -> None:
        inside = f"below vocab_size, {self.vocab_size}"
        ids = {name: getattr(self, name) for name in ("pad_id", "eos_id", "start_id")}
        rules = {name: (number < self.vocab_size, inside) for name, number in ids.items()}
        check(self, {"heads": _divides(self.heads, "dim", self.dim)} | rules)


@dataclass(frozen=True)
class CaptionerConfig:
    """The whole model. ``published_behaviour`` reproduces the published system's treatment of
    padded batches (heuristic masks, unmasked convolutions, pooling over padding) for parity."""

    encoder: BeatsConfig | YamnetConfig = field(default_factory=BeatsConfig)
    downsample: DownsampleConfig = field(default_factory=DownsampleConfig)
    conformer: ConformerConfig = field(default_factory=ConformerConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    max_duration_s: Annotated[float, Range(0.1, 600)] = 30.0
    published_behaviour: bool = False

    def __post_init__(self) -> None:
        check(self)
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


def _divides(part: int, name: str, whole: int) -> tuple[bool, str]:
    """The rule that ``part`` divides the field ``name``."""
    return part > 0 and whole % part == 0, f"a divisor of {name}, {whole}"


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
