"""Import of checkpoints in the published system's format, and of Microsoft's BEATs checkpoints.

Each published name is translated into ours. An unexpected or missing tensor is an error.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from auricle.errors import ModelError
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
)
from auricle.model.meta import unfilled
from auricle.watch import Note, silent

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
    weights = read_weights(folder)
    with unfilled():
        model = AudioCaptioner(config)
    names = {ours: published_name(ours) for ours in model.state_dict()}
    shapes = {names[ours]: tensor.shape for ours, tensor in model.state_dict().items()}
    shapes |= {f"encoder.{key}": shape for key, shape in _unused_beats(beats, config).items()}
    shapes |= unused
    tied = {"lm_head.weight": "decoder.embed_tokens.weight"}
    tied |= {f"encoder.{later}": f"encoder.{first}" for later, first in _tied_biases(beats).items()}
    _check(weights, shapes, tied, folder)
    state = {ours: _reshape(ours, weights[theirs]) for ours, theirs in names.items()}
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
    content = _torch_load(path)
    if not isinstance(content, dict) or not {"cfg", "model"} <= content.keys():
        raise ModelError(
            f"{path}: not a BEATs checkpoint; expected a dictionary with 'cfg' and 'model'"
        )
    beats = _Config(path, content["cfg"])
    config = _beats_config(beats, output_layer or beats["encoder_layers"])
    with unfilled():
        model = Beats(config)
    names = {ours: beats_name(ours) for ours in model.state_dict()}
    shapes = {names[ours]: tensor.shape for ours, tensor in model.state_dict().items()}
    full = CaptionerConfig(encoder=config)
    _check(content["model"], shapes | _unused_beats(beats, full), _tied_biases(beats), path)
    state = {ours: content["model"][theirs] for ours, theirs in names.items()}
    model.load_state_dict(state, assign=True)
    if not beats.get("finetuned_model"):
        note(
            f"{path}: BEATs without fine-tuning on AudioSet; the published system has {BEATS_FILE}"
        )
    return model.float().requires_grad_(False).eval()


def read_config(folder: Path) -> tuple[CaptionerConfig, dict[str, Any], dict[str, torch.Size]]:
    """The three published configuration files -> our configuration, BEATs' own, and the names and
    shapes of the Conformer tensors that never run."""
    model, conformer, beats = (_read_json(folder / name) for name in CONFIG_FILES)
    _require(folder, model, use_weighted_encoder_repr=False, use_encoder_embed_mlp=True)
    if not model.get("use_conv_downsample"):
        raise ModelError(f"{folder}: only convolutional downsampling is supported")
    _require(folder, conformer, position_embeddings_type="relative", hidden_act="swish")
    layer = model.get("encoder_repr_layer_idx") or model["encoder_layers"]
    rate = model["encoder_downsample_rate"]
    # Python's round() rounds halves to the even number, so rate 3 gives a kernel of 4.
    kernel = round(rate * model.get("downsample_kernel_size", 1.5))
    config = CaptionerConfig(
        encoder=_beats_config(beats, layer),
        downsample=DownsampleConfig(rate, kernel),
        conformer=ConformerConfig(
            dim=conformer["hidden_size"],
            layers=conformer["num_hidden_layers"],
            heads=conformer["num_attention_heads"],
            ffn_dim=conformer["intermediate_size"],
            kernel=conformer["conv_depthwise_kernel_size"],
            dropout=conformer["hidden_dropout"],
        ),
        embedding=EmbeddingConfig(
            model["embed_predictor_ffn_dim"], model["embed_predictor_out_dim"]
        ),
        decoder=DecoderConfig(
            vocab_size=model["vocab_size"],
            dim=model["d_model"],
            layers=model["decoder_layers"],
            heads=model.get("decoder_attention_heads", BART_HEADS),
            ffn_dim=model["decoder_ffn_dim"],
            max_positions=model["max_position_embeddings"],
            max_memory=model["max_cross_position_embeddings"],
            dropout=model.get("dropout", 0.1),
            attention_dropout=model.get("attention_dropout", 0.0),
            activation_dropout=model.get("activation_dropout", 0.0),
            pad_id=model.get("pad_token_id", 1),
            eos_id=model.get("eos_token_id", 2),
            start_id=model.get("decoder_start_token_id", 2),
        ),
    )
    return config, beats, _unused_conformer(conformer)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The checkpoint's tensors, from safetensors or from a pickle with ``weights_only``."""
    for name in WEIGHT_FILES:
        path = folder / name
        if not path.is_file():
            continue
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = _torch_load(path)
        if isinstance(content, dict) and all(isinstance(v, Tensor) for v in content.values()):
            return content
        raise ModelError(f"{path}: not a dictionary of tensors")
    raise ModelError(f"{folder}: no weights; expected one of {', '.join(WEIGHT_FILES)}")


def _beats_config(beats: Mapping[str, Any], output_layer: int) -> BeatsConfig:
    for key, value in {
        "layer_norm_first": False,
        "deep_norm": True,
        "activation_fn": "gelu",
        "relative_position_embedding": True,
        "gru_rel_pos": True,
    }.items():
        if beats.get(key) != value:
            raise ModelError(
                f"BEATs configuration {key}={beats.get(key)!r}: only {value!r} is supported"
            )
    return BeatsConfig(
        layers=beats["encoder_layers"],
        output_layer=output_layer,
        patch_size=beats["input_patch_size"],
        patch_dim=beats["embed_dim"],
        dim=beats["encoder_embed_dim"],
        heads=beats["encoder_attention_heads"],
        ffn_dim=beats["encoder_ffn_embed_dim"],
        position_kernel=beats["conv_pos"],
        position_groups=beats["conv_pos_groups"],
        buckets=beats["num_buckets"],
        max_distance=beats["max_distance"],
        patch_bias=beats["conv_bias"],
    )


def _unused_beats(beats: Mapping[str, Any], config: CaptionerConfig) -> dict[str, torch.Size]:
    """Names and shapes of BEATs' parts that never run: the layers after the output layer, and the
    AudioSet classifier of fine-tuned checkpoints."""
    assert isinstance(config.encoder, BeatsConfig)
    used = config.encoder.output_layer
    with unfilled():
        whole = Beats(replace(config.encoder, output_layer=config.encoder.layers)).state_dict()
    shapes = {
        beats_name(name): tensor.shape
        for name, tensor in whole.items()
        if (match := re.match(r"layers\.(\d+)\.", name)) and int(match[1]) >= used
    }
    if beats.get("finetuned_model"):
        classes = beats["predictor_class"]
        shapes["predictor.weight"] = torch.Size([classes, config.encoder.dim])
        shapes["predictor.bias"] = torch.Size([classes])
    return shapes


def _unused_conformer(conformer: Mapping[str, Any]) -> dict[str, torch.Size]:
    """Names and shapes of the Conformer's convolutional positions, which never run."""
    dim = conformer["hidden_size"]
    kernel = conformer.get("num_conv_pos_embeddings", 128)
    groups = conformer.get("num_conv_pos_embedding_groups", 16)
    conv = "postencoder.pos_conv_embed.conv."
    return {
        conv + "bias": torch.Size([dim]),
        conv + "weight_g": torch.Size([1, 1, kernel]),
        conv + "weight_v": torch.Size([dim, dim // groups, kernel]),
    }


def _tied_biases(beats: Mapping[str, Any]) -> dict[str, str]:
    """Copies of the first layer's position biases in BEATs' later layers -> their original."""
    name = "encoder.layers.{}.self_attn.relative_attention_bias.weight"
    return {name.format(i): name.format(0) for i in range(1, beats["encoder_layers"])}


def _check(
    weights: Mapping[str, Tensor],
    shapes: Mapping[str, torch.Size],
    tied: Mapping[str, str],
    source: Path,
) -> None:
    """Raise ModelError with each missing key, unexpected key and wrong shape."""
    problems = []
    if missing := sorted(shapes.keys() - weights.keys()):
        problems.append(f"missing keys: {', '.join(missing)}")
    if unexpected := sorted(weights.keys() - shapes.keys() - tied.keys()):
        problems.append(f"unexpected keys: {', '.join(unexpected)}")
    for key in sorted(shapes.keys() & weights.keys()):
        found = weights[key].shape
        if _squeeze(found) != _squeeze(shapes[key]):
            problems.append(f"{key} has shape {list(found)}, expected {list(shapes[key])}")
    if problems:
        raise ModelError(f"{source}: the checkpoint does not fit: " + "; ".join(problems))
    for copy, original in tied.items():
        if copy in weights and not weights[copy].equal(weights[original]):
            warnings.warn(
                f"{source}: {copy} differs from its tied original {original}, which is used",
                stacklevel=3,
            )


def _squeeze(shape: Iterable[int]) -> list[int]:
    """Sizes without ones: kernel-1 convolutions are our linear layers, [1, V] our [V]."""
    return [size for size in shape if size != 1]


def _reshape(ours: str, tensor: Tensor) -> Tensor:
    if ours == "decoder.logits_bias":
        return tensor.squeeze(0)
    return tensor.squeeze(-1) if re.search(r"\.pointwise_(in|out)\.", ours) else tensor


def _require(folder: Path, config: Mapping[str, Any], **expected: Any) -> None:
    for key, value in expected.items():
        if config.get(key, value) != value:
            raise ModelError(f"{folder}: {key}={config[key]!r} is not supported, only {value!r}")


class _Config(dict[str, Any]):
    """Values of a configuration; the error of a missing one names it and the file."""

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise ModelError(f"{self.path}: the configuration has no {key!r}, which is needed")


def _read_json(path: Path) -> _Config:
    if not path.is_file():
        raise ModelError(f"{path}: no such file; a published checkpoint has three config files")
    try:
        return _Config(path, json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error})") from error


def _torch_load(path: Path) -> Any:
    """Read a pickle without running it; only plain data and tensors are accepted."""
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path}: holds code besides tensors, which auricle never executes; convert it to "
            "safetensors on a machine where you trust it"
        ) from error
