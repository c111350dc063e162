"""Precision: the number format of a loaded model's computations, from float32 to 8-bit integers.

On a CPU, layers with weights are replaced by those of `auricle.model.packing`, which round their
factors; the rest stays float32. On a GPU, the whole model changes its type, except YAMNet and the
logarithms of the front ends. `benchmarks/precision.py` measures the effect on captions.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import nn

from auricle.errors import ModelError
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import YamnetConfig
from auricle.model.packing import Int8Linear, PackedConv1d, PackedLinear, can_pack

Precision = Literal["float32", "bf16", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_POSSIBLE: dict[str, tuple[Precision, ...]] = {
    "cpu": ("float32", "bf16", "int8"),
    "cuda": ("float32", "bf16", "fp16"),
    "mps": ("float32", "fp16"),
}
# The smallest layer that is packed in float32, in weights: a smaller one gains nothing, and each
# new number of rows builds a kernel (1 ms). Then the smallest layer that is rounded.
PACKED_WEIGHTS = 2**19
ROUNDED_WEIGHTS = 2**14
LARGE_MODEL = 50_000_000  # parameters; in a smaller one, products take little of the time


def choose_precision(device: torch.device, parameters: int | None = None) -> tuple[Precision, str]:
    """(precision, reason) of `auto` on ``device`` for a model with so many ``parameters``.

    ``parameters``: None for a large model. 8-bit integers are never chosen: they change too many
    captions (see `benchmarks/precision.py`).
    """
    if parameters is not None and parameters < LARGE_MODEL:
        return "float32", f"a model of {parameters / 1e6:.0f} million parameters gains nothing"
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        if major >= 8:
            return "bf16", f"the GPU (compute capability {major}.{minor}) multiplies bfloat16"
        if major >= 7:
            return "fp16", f"the GPU (compute capability {major}.{minor}) multiplies float16"
        return "float32", f"the GPU (compute capability {major}.{minor}) gains nothing by less"
    if device.type == "mps":
        return "float32", "less is not measured on Apple's GPUs"
    if device.type == "cpu" and _cpu_has("amx_tile"):
        return "bf16", "the CPU multiplies bfloat16 several times as fast, by AMX"
    if device.type == "cpu" and _cpu_has("avx512_bf16"):
        return "bf16", "the CPU multiplies bfloat16 twice as fast, by AVX-512"
    return "float32", "nothing here multiplies bfloat16 faster"


def resolve_precision(
    name: str, device: torch.device, parameters: int | None = None
) -> tuple[Precision, str]:
    """(precision, reason): of `choose_precision` for ``auto``; any other name is checked.

    Raises:
        ModelError: there is no such precision, or not on this device.
    """
    if name == "auto":
        return choose_precision(device, parameters)
    possible = _POSSIBLE.get(device.type, ("float32",))
    for precision in possible:
        if name == precision:
            return precision, "as asked"
    raise ModelError(
        f"precision {name!r} is not for the device {device.type}: "
        f"give {', '.join(possible)} or auto"
    )


def convert(model: AudioCaptioner, precision: str) -> Precision:
    """Convert a loaded model to ``precision``, in place, for inference only.

    A float32 model can still be saved, with its original weights. In a lower precision its
    ``state_dict`` raises ModelError.

    Returns:
        The precision; for ``auto``, the chosen one.

    Raises:
        ModelError: there is no such precision, not on the model's device, or the model is already
            converted.
    """
    device = model.device
    chosen, _ = resolve_precision(precision, device, parameter_count(model))
    if model.precision == chosen:
        return chosen
    if model.precision:
        raise ModelError(f"the model computes in {model.precision} already; load it again")
    model.eval().requires_grad_(False)
    model.precision = chosen
    if chosen != "float32":
        model.register_state_dict_pre_hook(_refuse)
    if device.type == "cpu":
        _pack(model, chosen)
    elif chosen != "float32":
        _cast(model, _DTYPES[chosen])
    return chosen


def move(model: AudioCaptioner, device: torch.device) -> None:
    """Move a model to ``device``, in place; a converted one keeps its precision.

    Raises:
        ModelError: its weights are rounded for another kind of device.
    """
    kinds = (model.device.type, device.type)
    if model.device == device:
        return
    if model.precision not in (None, "float32") and (kinds[0] != kinds[1] or "cpu" in kinds):
        raise ModelError(
            f"the model's weights are rounded to {model.precision} for the device {kinds[0]}; "
            f"load it again with device {str(device)!r}"
        )
    if "cpu" not in kinds or model.precision is None:
        model.to(device)
        return
    _unpack(model)
    model.to(device).precision = None
    convert(model, "float32")


def parameter_count(model: AudioCaptioner) -> int:
    """Parameters of an unconverted model; packed weights do not count."""
    return sum(parameter.numel() for parameter in model.parameters())


def _pack(model: AudioCaptioner, precision: Precision) -> None:
    """Replace the layers with weights one by one, so memory never holds two models."""
    if precision == "float32" and not can_pack():
        return
    least = PACKED_WEIGHTS if precision == "float32" else ROUNDED_WEIGHTS
    decoder = model.decoder
    if decoder.tokens.weight.numel() >= least:
        decoder.vocabulary = _linear(decoder.tokens.weight, decoder.logits_bias, precision, True)
    blocks = [block for block in model.children() if block is not _exact(model)]
    for parent in [module for block in blocks for module in block.modules()]:
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear and layer.weight.numel() >= least:
                setattr(parent, name, _linear(layer.weight, layer.bias, precision))
            elif isinstance(layer, nn.Conv1d) and layer.weight.numel() >= least and can_pack():
                # There is no integer convolution; bfloat16 replaces it.
                setattr(parent, name, PackedConv1d(layer, _DTYPES.get(precision, torch.bfloat16)))


def _unpack(model: AudioCaptioner) -> None:
    """Undo `_pack` in float32."""
    model.decoder.vocabulary = None
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, PackedLinear | PackedConv1d):
                setattr(parent, name, layer.unpacked())


def _exact(model: AudioCaptioner) -> nn.Module | None:
    """The block that stays float32: YAMNet is small, and its posteriors are on a log scale."""
    return model.encoder if isinstance(model.config.encoder, YamnetConfig) else None


def _linear(
    weight: torch.Tensor, bias: torch.Tensor | None, precision: Precision, tied: bool = False
) -> nn.Module:
    if precision == "int8":
        return Int8Linear(weight, bias)
    return PackedLinear(weight, bias, _DTYPES[precision], tied)


def _cast(model: AudioCaptioner, dtype: torch.dtype) -> None:
    for block in model.children():
        if block is not _exact(model):
            block.to(dtype)


def _refuse(model: nn.Module, prefix: str, keep_vars: bool) -> None:
    raise ModelError(
        f"the model's weights were rounded to {model.precision} for inference; "
        "load it with precision float32 to save it"
    )


def _cpu_has(flag: str) -> bool:
    """Whether the CPU has ``flag``; False if this torch cannot tell."""
    test: Any = getattr(torch.cpu, f"_is_{flag}_supported", None)
    return bool(test and test())
