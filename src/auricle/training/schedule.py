"""Schedules of a run: the learning rate by step, and the average of the last weights."""

from __future__ import annotations

import math

import torch

from auricle.model.captioner import AudioCaptioner
from auricle.training.config import TrainingConfig


def learning_rate(step: int, steps: int, config: TrainingConfig) -> float:
    """Linear warm-up, then ``config.schedule``; ``step`` counts from 1 to ``steps``.

    No step has rate 0. After the warm-up "linear" equals that of transformers' Trainer, while the
    warm-up is a step ahead: there the first step has rate 0 and changes no weight.
    """
    peak, warmup = config.learning_rate, config.warmup_steps
    if step <= warmup:
        return peak * step / warmup
    passed = (step - warmup) / max(1, steps - warmup)
    if config.schedule == "cosine":
        return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * passed)))
    if config.schedule == "linear":
        return peak * (steps - step + 1) / max(1, steps - warmup)
    return peak


class Average:
    """The mean of the trained weights over the last ``share`` of ``steps``."""

    def __init__(self, model: AudioCaptioner, steps: int, share: float) -> None:
        self.first = steps - round(steps * share)  # the step before the first one averaged
        self.wanted = self.first < steps
        self.steps = 0
        parameters = model.named_parameters() if self.wanted else ()
        self.weights = {n: torch.zeros_like(p) for n, p in parameters if p.requires_grad}

    @torch.no_grad()
    def add(self, model: AudioCaptioner, step: int) -> None:
        if step > self.first:
            self.steps = step - self.first
            for name, parameter in model.named_parameters():
                if name in self.weights:
                    self.weights[name].lerp_(parameter, 1.0 / self.steps)

    def into(self, model: AudioCaptioner) -> None:
        if self.steps:
            model.load_state_dict(self.weights, strict=False)
