"""Training progress: a step's report, the watch it goes to, the curves that TensorBoard shows.

TensorBoard is what people who train models have at hand, reads while a run writes, and needs no
account.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.errors import AudioError
from auricle.extras import install_command
from auricle.watch import Note, Watch, silent

if TYPE_CHECKING:
    import numpy as np

    from auricle.training.validation import Validation

SMOOTHING = 0.98  # of speed and data wait, from step to step
SAMPLES = 5  # validation clips whose captions and audio are shown
AUDIO_S = 10.0  # of each, at most


@dataclass(frozen=True)
class StepReport:
    """Losses and speed of a step.

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


@dataclass(frozen=True)
class TrainingWatch(Watch):
    """Receivers of what a training run reports.

    Attributes:
        step: called after every step.
        validated: called after a validation: the epoch, what was measured, whether it is the best
            so far.
    """

    step: Callable[[StepReport], None] = silent
    validated: Callable[[int, Validation, bool], None] = silent


UNWATCHED = TrainingWatch()


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

    def report(self, step: int, epoch: int, losses: dict[str, float], rate: float) -> StepReport:
        return StepReport(
            step=step,
            steps=self.steps,
            epoch=epoch,
            losses=losses,
            learning_rate=rate,
            clips_per_s=self.clips / self.taken,
            data_wait=self.waited / self.taken,
            seconds_left=(self.steps - step) * self.taken,
        )


class Monitor:
    """Event files that `tensorboard --logdir FOLDER` shows; none without a folder.

    A log is not worth a run: where TensorBoard is missing or the disk is full, ``note`` is told and
    training goes on.

    Args:
        folder: of the event files; a run that goes on writes further ones, and what it logged
            before from its first step on is dropped.
        recording: clip index (as in `ClipCaption`) -> its waveform [L] float32 at
            ``sample_rate_hz``; None leaves out audio.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        recording: Callable[[int], np.ndarray] | None = None,
        sample_rate_hz: int = 16_000,
        note: Note = silent,
    ) -> None:
        self.recording, self.sample_rate_hz, self.note = recording, sample_rate_hz, note
        self._played = False
        self._folder = folder
        self._writer: Any = None

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def step(self, report: StepReport) -> None:
        """Losses by name and in sum, learning rate, speed."""
        values = {f"training/{name}": value for name, value in report.losses.items()}
        values |= {
            "training/loss": sum(report.losses.values()),
            "training/learning_rate": report.learning_rate,
            "training/epoch": report.epoch,
            "speed/clips_per_s": report.clips_per_s,
            "speed/data_wait": report.data_wait,
        }
        self._scalars(report.step, values)

    def validation(self, step: int, found: Validation) -> None:
        """Its values, and of the first clips what was said; their audio the first time."""
        values = {**found.losses, **found.recall}
        for name, value in (("accuracy", found.accuracy), ("cider_d", found.cider_d)):
            if value is not None:
                values[name] = value
        self._scalars(step, {f"validation/{name}": value for name, value in values.items()})
        for said in found.captions[:SAMPLES]:
            people = "\n".join(f"* {text}" for text in said.references)
            self._write("add_text", f"captions/{said.id}", f"**{said.caption}**\n\n{people}", step)
        if found.captions and self.recording and self._writer and not self._played:
            self._played = True
            for said in found.captions[:SAMPLES]:
                self._play(f"audio/{said.id}", said.index, step)
        self._write("flush")

    def close(self) -> None:
        self._write("close")
        self._writer = None

    def _open(self, step: int) -> None:
        folder, self._folder = self._folder, None
        if folder is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=step)
        except ImportError:
            command = install_command("train")
            self.note(f"no curves are logged: TensorBoard is missing; {command}")
        except OSError as error:
            self.note(f"no curves are logged: {error}")

    def _play(self, tag: str, index: int, step: int) -> None:
        assert self.recording is not None
        try:
            waveform = self.recording(index)[: round(AUDIO_S * self.sample_rate_hz)]
        except AudioError:
            return  # captioned from stored features; the recording itself is gone
        self._write("add_audio", tag, waveform.clip(-1, 1), step, self.sample_rate_hz)

    def _scalars(self, step: int, values: dict[str, float]) -> None:
        self._open(step)
        for name, value in values.items():
            self._write("add_scalar", name, value, step)

    def _write(self, method: str, *arguments: object) -> None:
        if self._writer is None:
            return
        try:
            getattr(self._writer, method)(*arguments)
        except OSError as error:
            self._writer = None
            self.note(f"curves are logged no more: {error}")
