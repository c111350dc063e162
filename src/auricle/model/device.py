"""Devices: where models compute, by name."""

from __future__ import annotations

import torch

from auricle.errors import ModelError


def pick_device(name: str | torch.device) -> torch.device:
    """``auto`` -> a GPU if there is one; any other name is checked.

    Raises:
        ModelError: the device is not on this machine.
    """
    found = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        kinds = ("cuda", "mps", "cpu")
        return torch.device(next(kind for kind in kinds if found[kind]))
    kind, _, number = str(name).partition(":")
    if not (number or "0").isdecimal() or int(number or 0) >= found.get(kind, 0):
        raise ModelError(f"device {str(name)!r} is not on this machine; use auto or cpu")
    return torch.device(name)
