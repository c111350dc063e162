"""Long work on stderr: a live line on a terminal, now and then a plain one elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from auricle.cli.console import say

if TYPE_CHECKING:
    from auricle.training.monitor import StepReport, TrainingWatch
    from auricle.training.validation import Validation

EVERY_S = 30.0  # between plain lines
SMOOTHING = 0.98  # of losses, from step to step


class TrainingProgress:
    """``with TrainingProgress() as watch``: a `TrainingWatch` for `run_recipe`.

    Nothing is drawn before the first message, so that of several processes only the one that is
    told anything draws.
    """

    def __init__(self) -> None:
        self._lines = Lines()
        self._losses: dict[str, float] = {}
        self._steps = 0

    def __enter__(self) -> TrainingWatch:
        from auricle.training.monitor import TrainingWatch

        return TrainingWatch(self.note, self.working, self.progress, self.validated)

    def __exit__(self, *_: object) -> None:
        self._lines.stop()

    def note(self, text: str) -> None:
        say("note", text)

    def working(self, what: str, done: int, total: int) -> None:
        """Preparation: ``done`` of ``total`` (0: not known)."""
        count = f"{done}/{total}" if total else f"{done}" if done else ""
        self._lines.show(what, what, done, total, [count], [], bool(total) and done == total)

    def progress(self, progress: StepReport) -> None:
        """A step of training."""
        self._steps += 1
        weight = max(1 - SMOOTHING, 1 / self._steps)
        for name, loss in progress.losses.items():
            before = self._losses.get(name, loss)
            self._losses[name] = before + weight * (loss - before)
        count = [
            f"step {progress.step}/{progress.steps}",
            f"{duration(progress.seconds_left)} left",
        ]
        detail = [f"{name} {loss:.3f}" for name, loss in self._losses.items()]
        detail.append(f"{short(progress.clips_per_s)} clips/s")
        detail.append(f"data wait {100 * progress.data_wait:.0f} %")
        done, total = progress.step, progress.steps
        self._lines.show(
            "training", f"epoch {progress.epoch}", done, total, count, detail, done == total
        )

    def validated(self, epoch: int, found: Validation, better: bool) -> None:
        say("note", validation_line(epoch, found, better))


def validation_line(epoch: int, found: Validation, better: bool) -> str:
    """ "epoch 3: validation loss 2.310, R@1 12 %, CIDEr-D 0.450, best"."""
    parts = [f"epoch {epoch}: validation loss {found.losses['loss']:.3f}"]
    if "audio_to_text_r1" in found.recall:
        parts.append(f"R@1 {100 * found.recall['audio_to_text_r1']:.0f} %")
    if found.cider_d is not None:
        parts.append(f"CIDEr-D {found.cider_d:.3f}")
    return ", ".join([*parts, *["best"] * better])


def duration(seconds: float) -> str:
    """ "42 s", "12:30 min", "1:02:03 h"."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


class Lines:
    """What is drawn over on a terminal, and elsewhere said at the start of a stage, every `EVERY_S`
    seconds and at its end. Nothing is drawn before the first `show`."""

    def __init__(self) -> None:
        self._live = _Live() if sys.stderr.isatty() else None
        self._stage, self._said_s = "", -EVERY_S

    def show(
        self,
        stage: str,
        what: str,
        done: int,
        total: int,
        count: Sequence[str],
        detail: Sequence[str],
        last: bool,
    ) -> None:
        if self._live:
            self._live.show(what, done, total, "  ".join(count), "  ".join(detail))
            return
        now = time.monotonic()
        if last or stage != self._stage or now - self._said_s >= EVERY_S:
            self._stage, self._said_s = stage, now
            say("note", ", ".join(part for part in (what, *count, *detail) if part))

    def stop(self) -> None:
        if self._live:
            self._live.stop()


class TaskProgress:
    """``with TaskProgress("rendering", 500) as progress: progress(1)`` … ``progress(500)``: how
    many are done, how fast, and how long the rest takes. Off a terminal nothing is said of what
    takes less than `EVERY_S`."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._lines, self._start_s = Lines(), time.monotonic()

    def __enter__(self) -> TaskProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.stop()

    def __call__(self, done: int) -> None:
        seconds = time.monotonic() - self._start_s
        if not sys.stderr.isatty() and seconds < EVERY_S:
            return
        count = [f"{done}/{self._total}"]
        if done and done < self._total:
            count.append(f"{duration(seconds / done * (self._total - done))} left")
        detail = [f"{short(done / seconds)}/s"] if seconds else []
        last = done == self._total
        self._lines.show(self._what, self._what, done, self._total, count, detail, last)


class _Live:
    """Two lines that are drawn over: a bar with its count, and the detail."""

    def __init__(self) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.text import Text

        plain = {"markup": False}
        self._bar = Progress(
            TextColumn("{task.description}", **plain),  # type: ignore[arg-type]
            BarColumn(bar_width=20),
            TextColumn("{task.fields[count]}", **plain),  # type: ignore[arg-type]
        )
        self._task = self._bar.add_task("", total=None, count="")
        self._detail = Text(no_wrap=True, overflow="ellipsis")
        self._drawn: Any = Live(
            Group(self._bar, self._detail),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,  # rich would send it to its own console, which is stderr
        )

    def show(self, what: str, done: int, total: int, count: str, detail: str) -> None:
        if not self._drawn.is_started:
            self._drawn.start()
        self._bar.update(
            self._task, description=what, completed=done, total=total or None, count=count
        )
        self._detail.plain = detail

    def stop(self) -> None:
        self._drawn.stop()


def short(value: float) -> str:
    """Three figures, or whole numbers: 412, 41.2, 0.41."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
