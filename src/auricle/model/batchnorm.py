"""Batch normalisation over the batches of all processes together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` over the rows of every process, with the same parameters and buffers.

    In training under `torch.distributed`, mean and variance are those of all rows, so two processes
    compute the same as one with a doubled batch, even if their numbers of rows differ. torch's
    SyncBatchNorm does so only on GPUs. All processes must take part in each training step.

    A single row has no variance: the running statistics normalise it and do not change (torch
    raises an error).
    """

    def forward(self, x: Tensor) -> Tensor:
        """[N, C] or [N, C, T] -> the same shape."""
        if self.training and _world() > 1:
            return self._over_processes(x)
        if self.training and x.numel() <= self.num_features:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)

    def _over_processes(self, x: Tensor) -> Tensor:
        assert self.running_mean is not None  # we never build one without running statistics
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        shape = (1, -1) if x.ndim == 2 else (1, -1, 1)
        over = (0,) if x.ndim == 2 else (0, 2)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        rows = wide.new_tensor([x.numel() // self.num_features])
        total = _AllReduce.apply(torch.cat([wide.sum(over), rows]))
        sums, count = total[:-1], total[-1].detach()
        centred = wide - (sums / count.clamp(min=1)).view(shape)
        squares = _AllReduce.apply(centred.square().sum(over))

        # Decided on the device: reading the count would wait for the GPU.
        alone = count <= 1
        mean = torch.where(alone, self.running_mean, sums / count.clamp(min=1))
        variance = torch.where(alone, self.running_var, squares / count.clamp(min=1))
        with torch.no_grad():
            unbiased = torch.where(alone, variance, squares / (count - 1).clamp(min=1))
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
            self.num_batches_tracked += (~alone).long()
        normed = (wide - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        return (normed * self.weight.view(shape) + self.bias.view(shape)).to(x.dtype)


class _AllReduce(torch.autograd.Function):
    """The sum over processes; backward sums their gradients, because the loss of each process
    depends on the rows of all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _summed(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _summed(gradients[0])


def _summed(x: Tensor) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def _world() -> int:
    ready = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if ready else 1
