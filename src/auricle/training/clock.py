"""What a run says of itself after every step: losses, speed, data wait, time left."""

from __future__ import annotations

import time
from dataclasses import dataclass

SMOOTHING = 0.98  # of speed and data wait, from step to step


@dataclass(frozen=True)
class Progress:
    """What a step did.

    Attributes:
        step: its number, from 1, of ``steps``; ``epoch`` from 1.
        losses: by name, weighted as they are summed, over all processes.
        clips_per_s: of all processes together, over the last steps.
        data_wait: share of the time, from 0 to 1, that was spent waiting for batches.
        seconds_left: of the whole run, at this speed; validations are not foreseen.
    """

    step: int
    steps: int
    epoch: int
    losses: dict[str, float]
    learning_rate: float
    clips_per_s: float
    data_wait: float
    seconds_left: float


class Clock:
    """Speed and data wait, smoothed over the last steps."""

    def __init__(self, step: int, steps: int, clips: int) -> None:
        self.steps, self.clips, self.since = steps, clips, 0
        self.waited = self.taken = 0.0
        self.mark = self.start = time.perf_counter()

    def data_came(self) -> None:
        self.mark = time.perf_counter()

    def step_done(self) -> None:
        now = time.perf_counter()
        self.since += 1
        weight = max(1 - SMOOTHING, 1 / self.since)
        self.waited += weight * (self.mark - self.start - self.waited)
        self.taken += weight * (now - self.start - self.taken)
        self.start = now

    def skip(self) -> None:
        """Leave out what happened since the last step."""
        self.start = time.perf_counter()

    def progress(self, step: int, epoch: int, losses: dict[str, float], rate: float) -> Progress:
        return Progress(
            step=step,
            steps=self.steps,
            epoch=epoch,
            losses=losses,
            learning_rate=rate,
            clips_per_s=self.clips / self.taken,
            data_wait=self.waited / self.taken,
            seconds_left=(self.steps - step) * self.taken,
        )
