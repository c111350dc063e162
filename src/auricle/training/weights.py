"""The tensors that a run changes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from auricle.errors import TrainingError
from auricle.model.captioner import AudioCaptioner


def trained_state(model: AudioCaptioner) -> dict[str, Tensor]:
    """The tensors a run changes: all, or all but a frozen encoder's."""
    tuned = any(p.requires_grad for p in model.encoder.parameters())
    return {
        key: tensor
        for key, tensor in model.state_dict().items()
        if tuned or not key.startswith("encoder.")
    }


def load_trained(model: AudioCaptioner, state: Mapping[str, Tensor]) -> None:
    """Put what `trained_state` gave back into ``model``."""
    expected = trained_state(model)
    if expected.keys() != state.keys():
        raise TrainingError("these weights are of another model than the recipe's; use its own")
    model.load_state_dict(dict(state), strict=False)
