"""Modules without memory or random weights, for weights that are loaded next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


@contextmanager
def unfilled() -> Iterator[None]:
    """Tensors made inside are on the device "meta"; ``load_state_dict(assign=True)`` follows.

    `torch.nn.init.normal_` is skipped: on such a tensor it does nothing but a second of imports.
    """
    with torch.device("meta"), _NotFilled():
        yield


class _NotFilled(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__ or func is Tensor.normal_:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
