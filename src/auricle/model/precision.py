"""Precision: the numbers that a loaded model computes in, from float32 to 8-bit integers.

On a CPU the layers with weights are replaced by those of `auricle.model.packing`, which round what
they multiply; all else stays float32. On a GPU the whole model takes the other type, but for YAMNet
and the logarithms of the front ends. `benchmarks/precision.py` measures what that does to captions.
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
# Weights of the smallest layer that is packed in float32: a smaller one gains nothing, and a kernel
# is built for every new number of rows (1 ms). And of the smallest that is rounded.
PACKED_WEIGHTS = 2**19
ROUNDED_WEIGHTS = 2**14
LARGE_MODEL = 50_000_000  # parameters; in a small one other things than products take the time


def choose_precision(device: torch.device, parameters: int | None = None) -> tuple[Precision, str]:
    """The choice of `auto` on ``device`` for a model of so many ``parameters``, and why.

    ``parameters``: None for a large model. 8-bit integers are never taken: they change too many
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
        return "float32", "less has not been measured on Apple's GPUs"
    if device.type == "cpu" and _cpu_has("amx_tile"):
        return "bf16", "the CPU multiplies bfloat16 several times as fast, by AMX"
    if device.type == "cpu" and _cpu_has("avx512_bf16"):
        return "bf16", "the CPU multiplies bfloat16 twice as fast, by AVX-512"
    return "float32", "nothing here multiplies bfloat16 faster"


def resolve_precision(
    name: str, device: torch.device, parameters: int | None = None
) -> tuple[Precision, str]:
    """``auto`` -> what `choose_precision` says; a precision's name -> itself, checked.

    Raises:
        ModelError: no such precision, or not on this device.
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
    """Make a loaded model compute in ``precision`` from now on, in place, for inference alone.

    A model in float32 can still be saved, with the weights it had. One in less cannot: its
    ``state_dict`` raises ModelError.

    Returns:
        The precision; that which was chosen for ``auto``.

    Raises:
        ModelError: no such precision, not on the model's device, or the model is converted already.
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


def parameter_count(model: AudioCaptioner) -> int:
    """Parameters of a model that is not converted; packed weights are none."""
    return sum(parameter.numel() for parameter in model.parameters())


def _pack(model: AudioCaptioner, precision: Precision) -> None:
    """Replace the layers with weights, one by one: there is never a second model in memory."""
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
                # There is no convolution of integers: bfloat16 stands in.
                setattr(parent, name, PackedConv1d(layer, _DTYPES.get(precision, torch.bfloat16)))


def _exact(model: AudioCaptioner) -> nn.Module | None:
    """YAMNet stays float32: it is small, and its posteriors are looked at on a log scale."""
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
    """Whether the CPU says so; False where this torch cannot tell."""
    test: Any = getattr(torch.cpu, f"_is_{flag}_supported", None)
    return bool(test and test())
