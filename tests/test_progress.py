"""Training on stderr: what a terminal shows, what a log file gets."""

import io
import sys
from pathlib import Path

import pytest

from auricle.cli import progress as module
from auricle.cli.progress import TrainingProgress, duration, validation_line
from auricle.training.monitor import StepReport
from auricle.training.validation import Validation


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """``clock[0]`` is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")

    def start() -> Terminal:
        monkeypatch.setattr(sys, "stderr", Terminal())  # not in a fixture: pytest puts its own back
        return sys.stderr

    return start


def step(number: int, loss: float = 2.0, steps: int = 1000) -> StepReport:
    losses = {"nll": loss, "info_nce": 0.5}
    return StepReport(number, steps, 1 + number // 100, losses, 1e-3, 412.3, 0.012, 3723.0)


def found(**more) -> Validation:
    return Validation(clips=9, losses={"nll": 2.0, "loss": 2.3149}, **more)


def test_a_plain_line_at_first_every_half_minute_and_at_last(capsys, clock):
    with TrainingProgress() as watch:
        for number in range(1, 1001):
            clock[0] += 0.1
            watch.step(step(number))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5  # the first, after 30, 60 and 90 s, the last
    assert lines[0] == (
        "auricle: note: epoch 1, step 1/1000, 1:02:03 h left, nll 2.000, info_nce 0.500, "
        "412 clips/s, data wait 1 %"
    )
    assert "step 1000/1000" in lines[-1]


def test_losses_are_smoothed(capsys, clock):
    with TrainingProgress() as watch:
        for number in range(1, 1001):
            watch.step(step(number, loss=1.0 + number % 2))
    last = capsys.readouterr().err.splitlines()[-1]
    assert float(last.partition("nll ")[2].split(",")[0]) == pytest.approx(1.5, abs=0.02)


def test_preparation_is_said_once_for_each_thing_done(capsys, clock):
    with TrainingProgress() as watch:
        for done in range(5):
            watch.progress("reading manifests", done, 0)
        for done in range(1, 4):
            watch.progress("encoding clips", done, 3)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "auricle: note: reading manifests",
        "auricle: note: encoding clips, 1/3",
        "auricle: note: encoding clips, 3/3",
    ]


def test_a_terminal_shows_everything_within_its_width(terminal):
    screen = terminal()
    with TrainingProgress() as watch:
        watch.progress("encoding [clips]", 2, 3)
        watch.note("2 clips were skipped")
        watch.step(step(1))
        watch.validated(1, found(cider_d=0.45), True)
        watch.step(step(2))
    shown = screen.getvalue()
    for text in (
        "encoding [clips]",
        "auricle: note: 2 clips were skipped\n",
        "step 2/1000  1:02:03 h left",
        "nll 2.000  info_nce 0.500  412 clips/s  data wait 1 %",
        "epoch 1: validation loss 2.315, CIDEr-D 0.450, best\n",
    ):
        assert text in shown
    assert "…" not in shown
    assert shown.endswith("\x1b[2K")  # what was drawn is gone


def test_nothing_is_drawn_before_anything_is_said(terminal):
    screen = terminal()
    with TrainingProgress():
        pass
    assert screen.getvalue() == ""


def test_a_validation_is_one_line():
    assert validation_line(3, found(), False) == "epoch 3: validation loss 2.315"
    whole = found(recall={"audio_to_text_r1": 0.123}, cider_d=0.4504)
    assert (
        validation_line(3, whole, True)
        == "epoch 3: validation loss 2.315, R@1 12 %, CIDEr-D 0.450, best"
    )


def test_durations():
    assert [duration(s) for s in (0.4, 59.6, 61, 3599, 3600, 90061)] == [
        "0 s", "1:00 min", "1:01 min", "59:59 min", "1:00:00 h", "25:01:01 h",
    ]  # fmt: skip


def test_the_command_starts_without_the_model_code():
    import subprocess

    code = "import auricle.cli.progress, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
