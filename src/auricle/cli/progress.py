"""Progress of long work on stderr: a live bar on a terminal, plain lines at intervals elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

from auricle.cli.console import say
from auricle.printable import printable
from auricle.watch import Watch

if TYPE_CHECKING:
    from auricle.llm.cost import Price, TokenCount
    from auricle.mixup.status import GenerationStatus
    from auricle.training.monitor import StepReport, TrainingWatch
    from auricle.training.validation import Validation

EVERY_S = 30.0  # between plain lines
SMOOTHING = 0.98  # of losses over steps


class Display:
    """``with Display() as display``: long work reports to its methods (`auricle.watch`).

    A terminal shows a bar from the first report on. Elsewhere, a stage gets a line after `quiet_s`
    seconds, then every `EVERY_S` seconds, and at its end. Without reports nothing is written, so of
    several processes only the reporting one is visible.

    Args:
        quiet_s: 0 for work that is always long, such as training.
        in_bytes: counts are bytes.
    """

    def __init__(self, quiet_s: float = EVERY_S, in_bytes: bool = False) -> None:
        self._quiet_s, self._number = quiet_s, size if in_bytes else short
        self._terminal, self._pauses = sys.stderr.isatty(), 0
        self._bar: _Bar | None = None
        self._stage: str | None = None
        self._at = ""  # the last report, for an error that ends the work
        self._begun_s = self._shown_s = 0.0
        self._first = 0  # done at the stage's first report
        self._losses: dict[str, float] = {}
        self._steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if error and self._at:
            error.add_note(self._at)
        self.stop()

    @property
    def watch(self) -> Watch:
        return Watch(self.note, self.progress)

    @property
    def training_watch(self) -> TrainingWatch:
        from auricle.training.monitor import TrainingWatch

        return TrainingWatch(self.note, self.progress, self.step, self.validated)

    def stop(self) -> None:
        if self._bar:
            self._bar.live.stop()
        self._bar = None

    def note(self, text: str) -> None:
        with self.paused():
            say("note", text)

    def error(self, text: str) -> None:
        with self.paused():
            say("error", text)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Hide the bar while the block writes other lines, such as captions on stdout."""
        self._pauses += 1
        if self._bar:
            self._bar.live.stop()
        try:
            yield
        finally:
            self._pauses -= 1
            if self._bar and not self._pauses:
                self._bar.live.start(refresh=True)

    def progress(self, stage: str, done: int, total: int, told: str = "") -> None:
        """Show ``done`` of ``total`` (0: unknown), with the speed since the first report; ``told``:
        what else there is to say."""
        self._begin(stage, done)
        number, seconds = self._number, time.monotonic() - self._begun_s
        count = [f"{number(done)}/{number(total)}" if total else number(done) if done else ""]
        detail = []
        if seconds and (per_s := (done - self._first) / seconds) > 0:
            count += [f"{duration((total - done) / per_s)} left"] * (done < total)
            detail = [f"{number(per_s)}/s"]
        detail += [told] * bool(told)
        self._show(stage, done, total, count, detail)

    def step(self, report: StepReport) -> None:
        """Show a training step."""
        self._begin("training", report.step)
        self._steps += 1
        weight = max(1 - SMOOTHING, 1 / self._steps)
        for name, loss in report.losses.items():
            before = self._losses.get(name, loss)
            self._losses[name] = before + weight * (loss - before)
        count = [f"step {report.step}/{report.steps}", f"{duration(report.seconds_left)} left"]
        detail = [f"{name} {loss:.3f}" for name, loss in self._losses.items()]
        detail.append(f"{short(report.clips_per_s)} clips/s")
        detail.append(f"data wait {100 * report.data_wait:.0f} %")
        self._show(f"epoch {report.epoch}", report.step, report.steps, count, detail)

    def validated(self, epoch: int, found: Validation, better: bool) -> None:
        self.note(validation_line(epoch, found, better))

    def generation(self, now: GenerationStatus, price: Price | None = None) -> None:
        """Show mix-ups by a language model: first the expected cost; then also the speed and the
        cost so far."""
        if now.expected.prompt and not (now.made or now.failed):
            left = now.total - now.done
            self.note(f"{left:,} to ask for: about {spent(now.expected, price)}")
        self._begin("asking", now.done)
        over = now.done + now.failed
        count = [f"{now.done}/{now.total}"]
        if now.seconds_left is not None and over < now.total:
            count.append(f"{duration(now.seconds_left)} left")
        detail = [f"{short(now.per_s)}/s"] * bool(now.made)
        if now.tokens.prompt:
            detail.append(f"{spent(now.tokens, price)} of about {spent(now.expected, price)}")
        detail += [f"{now.retries} tried again"] * bool(now.retries)
        detail += [f"{now.failed} failed"] * bool(now.failed)
        self._show("mix-ups", over, now.total, count, detail)

    def _begin(self, stage: str, done: int) -> None:
        if stage != self._stage:
            self._stage, self._first = stage, done
            self._begun_s, self._shown_s = time.monotonic(), -EVERY_S

    def _show(
        self, what: str, done: int, total: int, count: Sequence[str], detail: Sequence[str]
    ) -> None:
        what = printable(what)
        self._at = f"{what} {done}/{total}" if total else what
        if self._terminal:
            self._bar = self._bar or _Bar()
            self._bar.show(what, done, total, "  ".join(count), "  ".join(detail))
            if not self._pauses:
                self._bar.live.start(refresh=True)
            return
        now = time.monotonic()
        due = now - self._shown_s >= EVERY_S or 0 < total <= done
        if due and now - self._begun_s >= self._quiet_s:
            self._shown_s = now
            say("note", ", ".join(filter(None, (what, *count, *detail))))


class _Bar:
    """Two terminal lines, redrawn in place: a bar with its count, and the details."""

    def __init__(self) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.text import Text

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[count]}", markup=False),
        )
        self._task = self._progress.add_task("", total=None, count="")
        self._detail = Text(no_wrap=True, overflow="ellipsis")
        self.live = Live(
            Group(self._progress, self._detail),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,  # rich would redirect it to stderr
        )

    def show(self, what: str, done: int, total: int, count: str, detail: str) -> None:
        self._progress.update(
            self._task, description=what, completed=done, total=total or None, count=count
        )
        self._detail.plain = detail


def validation_line(epoch: int, found: Validation, better: bool) -> str:
    """ "epoch 3: validation loss 2.310, tokens 48 %, R@1 12 %, CIDEr-D 0.450, best"."""
    parts = [f"epoch {epoch}: validation loss {found.losses['loss']:.3f}"]
    if found.accuracy is not None:
        parts.append(f"tokens {100 * found.accuracy:.0f} %")
    if "audio_to_text_r1" in found.recall:
        parts.append(f"R@1 {100 * found.recall['audio_to_text_r1']:.0f} %")
    if found.cider_d is not None:
        parts.append(f"CIDEr-D {found.cider_d:.3f}")
    return ", ".join([*parts, *["best"] * better])


def spent(tokens: TokenCount, price: Price | None) -> str:
    """ "1,234 tokens" or, with a price, "1,234 tokens (costs 0.0012)"."""
    cost = tokens.cost(price)
    number = f"{round(tokens.prompt + tokens.completion):,} tokens"
    return number if cost is None else f"{number} (costs {cost:.2g})"


def duration(seconds: float) -> str:
    """ "42 s", "12:30 min", "1:02:03 h"."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def short(value: float) -> str:
    """Three digits, or whole numbers: 412, 41.2, 0.41."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def size(count: float) -> str:
    """Bytes: "812 kB", "7.02 GB"."""
    units = iter(("B", "kB", "MB", "GB"))
    unit = next(units)
    while count >= 1000 and (larger := next(units, "")):
        count, unit = count / 1000, larger
    return f"{short(count)} {unit}"
