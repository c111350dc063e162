"""The mean of the weights over the last steps of a run."""

from __future__ import annotations

import torch

from auricle.model.captioner import AudioCaptioner


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
