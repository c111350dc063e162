"""Import of checkpoints in the published system's format, and of Microsoft's BEATs checkpoints.

Each published name is translated into ours. An unexpected or missing tensor is an error.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from torch import Tensor

from auricle.errors import ModelError
from auricle.files import read_json
from auricle.hub.published_names import beats_name, published_name
from auricle.model.beats import Beats
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import (
    BeatsConfig,
    CaptionerConfig,
    ConformerConfig,
    DecoderConfig,
    DownsampleConfig,
    EmbeddingConfig,
    Kernel,
    Layers,
    YamnetConfig,
)
from auricle.model.meta import unfilled
from auricle.model.weights import (
    Kind,
    check_fit,
    finite,
    kinds_of,
    load_fitting,
    read_pickle,
    tensors_of,
)
from auricle.schema import Range, build, check, shown
from auricle.watch import Note, silent

T = TypeVar("T")

CONFIG_FILES = ("model_config.json", "conformer_config.json", "beats_config.json")
BART_HEADS = 16  # BartConfig's default, which the published configuration leaves unsaid
BEATS_FILE = "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt1.pt"  # Microsoft's that it is made from
WEIGHT_FILES = ("state_dict.safetensors", "model.safetensors", "pytorch_model.bin")


def load_published(
    folder: str | Path,
    published_behaviour: bool = False,
    device: str = "cpu",
    config_folder: str | Path | None = None,
) -> AudioCaptioner:
    """Build our model, in eval mode, from a checkpoint in the published format.

    Args:
        folder: holds ``model_config.json``, ``conformer_config.json``, ``beats_config.json`` and
            one of ``state_dict.safetensors``, ``model.safetensors``, ``pytorch_model.bin``. Tied
            weights (the output embedding, the position biases of BEATs' later layers) may be
            present or absent.
        published_behaviour: treat padded batches as the published system does (see
            `CaptionerConfig`); a single clip gives the same either way.
        device: the device of the model.
        config_folder: the folder of the three configurations, if not ``folder``.

    Raises:
        ModelError: a file, key or shape is missing or unexpected; the message names each.
    """
    folder = Path(folder)
    config, beats, unused = read_config(Path(config_folder or folder))
    config = replace(config, published_behaviour=published_behaviour)
    path = _weights_file(folder)
    with unfilled():
        model = AudioCaptioner(config)
    ours = kinds_of(model)
    names = {name: published_name(name) for name in ours}
    needed = {names[name]: kind for name, kind in ours.items()} | unused
    needed |= {f"encoder.{key}": kind for key, kind in _unused_beats(beats, config.encoder).items()}
    tied = {"lm_head.weight": "decoder.embed_tokens.weight"}
    tied |= {f"encoder.{later}": f"encoder.{first}" for later, first in _tied_biases(beats).items()}
    weights = load_fitting(path, needed, tied)
    _compare_tied(weights, tied, path)
    state = {name: weights[names[name]].reshape(kind.shape) for name, kind in ours.items()}
    model.load_state_dict(state, assign=True)
    model.float().encoder.requires_grad_(False)
    return model.to(device).eval()


def load_beats(path: str | Path, output_layer: int | None = None, note: Note = silent) -> Beats:
    """An encoder from Microsoft's checkpoint format, ``{"cfg": …, "model": …}``.

    Args:
        path: a ``.pt`` file, read without executing anything it holds.
        output_layer: the layer whose output is used, all of them by default (published system: 10).
        note: told of a checkpoint without a classifier: it was not fine-tuned on AudioSet, as the
            published system's was.

    Raises:
        ModelError: the file is not such a checkpoint, or keys are missing or unexpected.
    """
    path = Path(path)
    content = read_pickle(path)
    if not isinstance(content, dict) or not {"cfg", "model"} <= content.keys():
        raise ModelError(
            f"{path}: not a BEATs checkpoint; expected a dictionary with 'cfg' and 'model'"
        )
    beats = _known(BeatsJson, content["cfg"], path)
    config = _at(path, beats.config, output_layer or beats.encoder_layers)
    with unfilled():
        model = Beats(config)
    ours = kinds_of(model)
    names = {name: beats_name(name) for name in ours}
    needed = {names[name]: kind for name, kind in ours.items()} | _unused_beats(beats, config)
    weights, tied = tensors_of(content["model"], path), _tied_biases(beats)
    check_fit({name: Kind.of(tensor) for name, tensor in weights.items()}, needed, path, tied)
    _compare_tied(finite(weights, path), tied, path)
    state = {name: weights[names[name]].reshape(kind.shape) for name, kind in ours.items()}
    model.load_state_dict(state, assign=True)
    if not beats.finetuned_model:
        note(
            f"{path}: BEATs without fine-tuning on AudioSet; the published system has {BEATS_FILE}"
        )
    return model.float().requires_grad_(False).eval()


def read_config(folder: Path) -> tuple[CaptionerConfig, BeatsJson, dict[str, Kind]]:
    """The three published configuration files -> our configuration, BEATs' own, and the names and
    shapes of the Conformer tensors that never run.

    Raises ModelError: a file or key is missing, or a value is unsupported or out of range.
    """
    paths = [folder / name for name in CONFIG_FILES]
    model = _known(ModelJson, read_json(paths[0]), paths[0])
    conformer = _known(ConformerJson, read_json(paths[1]), paths[1])
    beats = _known(BeatsJson, read_json(paths[2]), paths[2])
    return _at(folder, _captioner_config, model, conformer, beats), beats, conformer.unused


@dataclass(frozen=True)
class ModelJson:
    """The keys of model_config.json that we read; a `Literal` is the only supported value."""

    encoder_layers: Layers
    encoder_downsample_rate: Annotated[int, Range(1, 64)]
    embed_predictor_ffn_dim: int
    embed_predictor_out_dim: int
    vocab_size: int
    d_model: int
    decoder_layers: int
    decoder_ffn_dim: int
    max_position_embeddings: int
    max_cross_position_embeddings: int
    use_conv_downsample: Literal[True]
    use_weighted_encoder_repr: Literal[False] = False
    use_encoder_embed_mlp: Literal[True] = True
    encoder_repr_layer_idx: int | None = None
    downsample_kernel_size: Annotated[float, Range(0.1, 64)] = 1.5
    decoder_attention_heads: int = BART_HEADS
    dropout: float = 0.1
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    pad_token_id: int = 1
    eos_token_id: int = 2
    decoder_start_token_id: int = 2

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class ConformerJson:
    """The keys of conformer_config.json that we read."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    conv_depthwise_kernel_size: int
    hidden_dropout: float
    position_embeddings_type: Literal["relative"] = "relative"
    hidden_act: Literal["swish"] = "swish"
    num_conv_pos_embeddings: Kernel = 128
    num_conv_pos_embedding_groups: Kernel = 16

    def __post_init__(self) -> None:
        check(self)

    @property
    def unused(self) -> dict[str, Kind]:
        """Names and shapes of the Conformer's convolutional positions, which never run."""
        dim, kernel = self.hidden_size, self.num_conv_pos_embeddings
        shapes = {
            "bias": (dim,),
            "weight_g": (1, 1, kernel),
            "weight_v": (dim, dim // self.num_conv_pos_embedding_groups, kernel),
        }
        conv = "postencoder.pos_conv_embed.conv."
        return {conv + name: Kind(shape, floating=True) for name, shape in shapes.items()}


@dataclass(frozen=True)
class BeatsJson:
    """The keys of beats_config.json, or of a checkpoint's ``cfg``, that we read."""

    encoder_layers: Layers
    input_patch_size: int
    embed_dim: int
    encoder_embed_dim: int
    encoder_attention_heads: int
    encoder_ffn_embed_dim: int
    conv_pos: int
    conv_pos_groups: int
    num_buckets: int
    max_distance: int
    conv_bias: bool
    layer_norm_first: Literal[False]
    deep_norm: Literal[True]
    activation_fn: Literal["gelu"]
    relative_position_embedding: Literal[True]
    gru_rel_pos: Literal[True]
    finetuned_model: bool = False
    predictor_class: Annotated[int, Range(1, 1_000_000)] = 527

    def __post_init__(self) -> None:
        check(self)

    def config(self, output_layer: int) -> BeatsConfig:
        return BeatsConfig(
            layers=self.encoder_layers,
            output_layer=output_layer,
            patch_size=self.input_patch_size,
            patch_dim=self.embed_dim,
            dim=self.encoder_embed_dim,
            heads=self.encoder_attention_heads,
            ffn_dim=self.encoder_ffn_embed_dim,
            position_kernel=self.conv_pos,
            position_groups=self.conv_pos_groups,
            buckets=self.num_buckets,
            max_distance=self.max_distance,
            patch_bias=self.conv_bias,
        )


def _captioner_config(
    model: ModelJson, conformer: ConformerJson, beats: BeatsJson
) -> CaptionerConfig:
    rate = model.encoder_downsample_rate
    # Python's round() rounds halves to the even number, so rate 3 gives a kernel of 4.
    kernel = round(rate * model.downsample_kernel_size)
    return CaptionerConfig(
        encoder=beats.config(model.encoder_repr_layer_idx or model.encoder_layers),
        downsample=DownsampleConfig(rate, kernel),
        conformer=ConformerConfig(
            dim=conformer.hidden_size,
            layers=conformer.num_hidden_layers,
            heads=conformer.num_attention_heads,
            ffn_dim=conformer.intermediate_size,
            kernel=conformer.conv_depthwise_kernel_size,
            dropout=conformer.hidden_dropout,
        ),
        embedding=EmbeddingConfig(model.embed_predictor_ffn_dim, model.embed_predictor_out_dim),
        decoder=DecoderConfig(
            vocab_size=model.vocab_size,
            dim=model.d_model,
            layers=model.decoder_layers,
            heads=model.decoder_attention_heads,
            ffn_dim=model.decoder_ffn_dim,
            max_positions=model.max_position_embeddings,
            max_memory=model.max_cross_position_embeddings,
            dropout=model.dropout,
            attention_dropout=model.attention_dropout,
            activation_dropout=model.activation_dropout,
            pad_id=model.pad_token_id,
            eos_id=model.eos_token_id,
            start_id=model.decoder_start_token_id,
        ),
    )


def _known(kind: type[T], values: Any, path: Path) -> T:
    """The keys of a published configuration that we read; it has many others."""
    if not isinstance(values, Mapping):
        raise ModelError(f"{path}: the configuration is {shown(values)}, but must be a dictionary")
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return build(kind, {key: value for key, value in values.items() if key in known}, str(path))


def _at(path: Path, make: Callable[..., T], *arguments: Any) -> T:
    """``make(...)``, whose error names ``path``."""
    try:
        return make(*arguments)
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from error


def _weights_file(folder: Path) -> Path:
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder}: no weights; expected one of {', '.join(WEIGHT_FILES)}")


def _unused_beats(beats: BeatsJson, config: BeatsConfig | YamnetConfig) -> dict[str, Kind]:
    """Names and shapes of BEATs' parts that never run: the layers after the output layer, and the
    AudioSet classifier of fine-tuned checkpoints."""
    assert isinstance(config, BeatsConfig)
    with unfilled():
        whole = kinds_of(Beats(replace(config, output_layer=config.layers)))
    needed = {
        beats_name(name): kind
        for name, kind in whole.items()
        if (match := re.match(r"layers\.(\d+)\.", name)) and int(match[1]) >= config.output_layer
    }
    if beats.finetuned_model:
        needed["predictor.weight"] = Kind((beats.predictor_class, config.dim), floating=True)
        needed["predictor.bias"] = Kind((beats.predictor_class,), floating=True)
    return needed


def _tied_biases(beats: BeatsJson) -> dict[str, str]:
    """Copies of the first layer's position biases in BEATs' later layers -> their original."""
    name = "encoder.layers.{}.self_attn.relative_attention_bias.weight"
    return {name.format(i): name.format(0) for i in range(1, beats.encoder_layers)}


def _compare_tied(weights: Mapping[str, Tensor], tied: Mapping[str, str], source: Path) -> None:
    """Warn of a copy that differs from its original."""
    for copy, original in tied.items():
        if copy in weights and not weights[copy].equal(weights[original]):
            warnings.warn(
                f"{source}: {copy} differs from its tied original {original}, which is used",
                stacklevel=3,
            )
