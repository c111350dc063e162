"""Several models that hear the same clips: an encoder that they share runs once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from auricle.model.captioner import AudioCaptioner, AudioMemory, padded


def encode_together(
    models: Sequence[AudioCaptioner], waveforms: Sequence[Tensor | np.ndarray]
) -> tuple[AudioMemory, ...]:
    """`AudioCaptioner.encode` of the same clips per model."""
    features = features_together(models, waveforms)
    return tuple(
        model.encode_features(*found) for model, found in zip(models, features, strict=True)
    )


def features_together(
    models: Sequence[AudioCaptioner], waveforms: Sequence[Tensor | np.ndarray]
) -> list[tuple[Tensor, Tensor]]:
    """The features of the same clips per model, and their lengths (see `Encoder.forward`)."""
    batch, lengths = padded(waveforms, models[0].device)
    features: dict[int, tuple[Tensor, Tensor]] = {}
    for model in models:
        key = id(model.encoder)
        if key not in features:
            features[key] = model.features(batch, lengths)
    return [features[id(model.encoder)] for model in models]
