"""Packed layers, with weights in the layout of the CPU's kernels, for inference.

They take and return float32 in every precision, so everything between them (attention, LayerNorm,
softmax) stays float32. A row's result does not depend on other rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

USUAL_FRAMES = 512  # about 10 s of BEATs; a convolution's kernel is chosen for this input
INT8_MAX = 127


def can_pack() -> bool:
    """Whether this torch has the oneDNN operators of `torch.compile` that pack weights.

    They are not public. Without them, layers keep their weights unpacked and are slower.
    """
    return torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name)
        for name in (
            "_reorder_linear_weight",
            "_linear_pointwise",
            "_reorder_convolution_weight",
            "_convolution_pointwise",
        )
    )


class PackedLinear(nn.Module):
    """`nn.Linear` [..., K] -> [..., N] with weights in oneDNN's order.

    ``F.linear`` reorders them in every call, which takes up to half of the time of 50 rows. With
    ``dtype`` bfloat16, factors are bfloat16 and sums float32. ``tied`` weights also belong to
    another layer, so this one does not store them.
    """

    bias: Tensor | None

    def __init__(
        self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, tied: bool = False
    ) -> None:
        super().__init__()
        self.dtype, self.tied = dtype, tied
        self._pack(weight.detach().to(dtype))
        self.register_buffer("bias", bias.detach() if bias is not None else None, persistent=False)

    def _pack(self, weight: Tensor) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight) if can_pack() else weight

    def dense(self) -> Tensor:
        """The weight [N, K] in the usual order."""
        return self.weight.to_dense() if self.weight.is_mkldnn else self.weight

    def unpacked(self) -> nn.Linear:
        """The plain layer, for inference."""
        rows, columns = self.dense().shape
        linear = nn.Linear(columns, rows, bias=self.bias is not None, device="meta")
        linear.weight = nn.Parameter(self.dense(), requires_grad=False)
        if self.bias is not None:
            linear.bias = nn.Parameter(self.bias, requires_grad=False)
        return linear

    def __getstate__(self) -> dict[str, Any]:
        """oneDNN's order cannot be pickled, and is another on another machine."""
        return self.__dict__ | {"weight": self.dense()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._pack(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        exact = self.dtype == x.dtype
        bias = self.bias if exact else None
        rows = x.to(self.dtype)
        if self.weight.is_mkldnn:
            y = torch.ops.mkldnn._linear_pointwise(rows, self.weight, bias, "none", [], "")
        else:
            y = F.linear(rows, self.weight, bias)
        if exact:
            return y
        # The product is already rounded; a bias added in float32 is not rounded again.
        return y.to(x.dtype) if self.bias is None else y.to(x.dtype).add_(self.bias)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        if not self.tied:
            destination[f"{prefix}weight"] = self.dense()
            if self.bias is not None:
                destination[f"{prefix}bias"] = self.bias


class PackedConv1d(nn.Module):
    """`nn.Conv1d` [B, C, T] -> [B, C', T'] as `PackedLinear`; normalises its weight once."""

    def __init__(self, conv: nn.Conv1d, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        assert isinstance(conv.padding, tuple)  # no block of ours has a named padding
        # oneDNN's operator is two-dimensional: the height is 1.
        self.padding, self.stride = [0, *conv.padding], [1, *conv.stride]
        self.dilation, self.groups = [1, *conv.dilation], conv.groups
        bias = conv.bias.detach().to(dtype) if conv.bias is not None else None
        self.register_buffer("bias", bias, persistent=False)
        self._conv = (conv,)  # a tuple keeps it out of the registry of modules
        self._pack()

    def _pack(self) -> None:
        conv = self.unpacked()
        self.packed = torch.ops.mkldnn._reorder_convolution_weight(
            conv.weight.detach().unsqueeze(2).to(self.dtype),
            self.padding, self.stride, self.dilation, self.groups,
            [1, conv.in_channels, 1, USUAL_FRAMES],
        )  # fmt: skip

    def unpacked(self) -> nn.Conv1d:
        """The plain layer that this one replaces."""
        return self._conv[0]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "packed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._pack()

    def forward(self, x: Tensor) -> Tensor:
        y = torch.ops.mkldnn._convolution_pointwise(
            x.unsqueeze(2).to(self.dtype), self.packed, self.bias,
            self.padding, self.stride, self.dilation, self.groups, "none", [], "",
        )  # fmt: skip
        return y.squeeze(2).to(x.dtype)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        self.unpacked().state_dict(destination=destination, prefix=prefix, keep_vars=keep_vars)


class Int8Linear(nn.Module):
    """`nn.Linear` [..., K] -> [..., N] in 8-bit integers with 32-bit sums.

    Weights are scaled once, per output channel; inputs in each call, per row. torch's dynamic
    quantisation has one scale for all rows, so a caption would depend on its batch.
    """

    scale: Tensor
    codes: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        codes, scale = quantise(weight.detach())
        self.register_buffer("codes", codes.t(), persistent=False)  # [K, N]
        self.register_buffer("scale", scale.squeeze(1), persistent=False)  # [N]
        self.register_buffer("bias", bias.detach() if bias is not None else None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        codes, scale = quantise(x.reshape(-1, x.shape[-1]))
        y = torch._int_mm(codes, self.codes).to(x.dtype).mul_(scale).mul_(self.scale)
        if self.bias is not None:
            y = y.add_(self.bias)
        return y.view(*x.shape[:-1], len(self.scale))


def quantise(rows: Tensor) -> tuple[Tensor, Tensor]:
    """[R, K] -> int8 codes [R, K] and scales [R, 1], with codes * scales close to ``rows``."""
    scale = rows.abs().amax(dim=1, keepdim=True).clamp_(min=torch.finfo(rows.dtype).tiny) / INT8_MAX
    return (rows / scale).round_().to(torch.int8), scale
