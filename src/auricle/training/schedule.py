"""The learning rate of a step."""

from __future__ import annotations

import math

from auricle.training.config import TrainingConfig


def learning_rate(step: int, steps: int, config: TrainingConfig) -> float:
    """Linear warm-up, then ``config.schedule``; ``step`` counts from 1 to ``steps``."""
    peak, warmup = config.learning_rate, config.warmup_steps
    if step <= warmup:
        return peak * step / warmup
    passed = (step - warmup) / max(1, steps - warmup)
    if config.schedule == "cosine":
        return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * passed)))
    if config.schedule == "linear":
        return peak * (1 - passed)
    return peak
