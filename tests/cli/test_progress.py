"""Progress on stderr: what a terminal shows, what a log file gets."""

import io
import sys
from pathlib import Path

import pytest

from auricle.cli import progress as module
from auricle.cli.progress import Display, duration, size, validation_line
from auricle.llm.cost import Price, TokenCount
from auricle.mixup.status import GenerationStatus
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
    with Display(quiet_s=0.0) as display:
        for number in range(1, 1001):
            clock[0] += 0.1
            display.step(step(number))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5  # the first, after 30, 60 and 90 s, the last
    assert lines[0] == (
        "auricle: note: epoch 1, step 1/1000, 1:02:03 h left, nll 2.000, info_nce 0.500, "
        "412 clips/s, data wait 1 %"
    )
    assert "step 1000/1000" in lines[-1]


def test_losses_are_smoothed(capsys, clock):
    with Display(quiet_s=0.0) as display:
        for number in range(1, 1001):
            display.step(step(number, loss=1.0 + number % 2))
    last = capsys.readouterr().err.splitlines()[-1]
    assert float(last.partition("nll ")[2].split(",")[0]) == pytest.approx(1.5, abs=0.02)


def test_preparation_is_said_once_for_each_thing_done(capsys, clock):
    with Display(quiet_s=0.0) as display:
        for done in range(5):
            display.progress("reading manifests", done, 0)
        for done in range(1, 4):
            display.progress("encoding clips", done, 3)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "auricle: note: reading manifests",
        "auricle: note: encoding clips, 1/3",
        "auricle: note: encoding clips, 3/3",
    ]


def test_a_terminal_shows_everything_within_its_width(terminal):
    screen = terminal()
    with Display(quiet_s=0.0) as display:
        display.progress("encoding [clips]", 2, 3)
        display.note("2 clips were skipped")
        display.step(step(1))
        display.validated(1, found(cider_d=0.45), True)
        display.step(step(2))
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


def test_short_work_goes_by_in_silence_and_long_work_is_timed(capsys, clock):
    with Display() as display:
        for done in range(1, 101):
            display.progress("quick", done, 100)
        for done in range(1, 101):
            display.progress("slow", done, 100)
            clock[0] += 1
        display.note("what is said at once")
    assert capsys.readouterr().err.splitlines() == [
        "auricle: note: slow, 31/100, 1:09 min left, 1/s",
        "auricle: note: slow, 61/100, 39 s left, 1/s",
        "auricle: note: slow, 91/100, 9 s left, 1/s",
        "auricle: note: slow, 100/100, 1/s",
        "auricle: note: what is said at once",
    ]


def test_what_else_there_is_to_say(capsys, clock):
    with Display(quiet_s=0.0) as display:
        display.progress("recordings", 100, 2000)
        clock[0] += 40
        display.progress("recordings", 500, 2000, "3 failed")
    assert capsys.readouterr().err.splitlines() == [
        "auricle: note: recordings, 100/2000",
        "auricle: note: recordings, 500/2000, 2:30 min left, 10/s, 3 failed",
    ]


def test_what_was_there_before_does_not_count_as_speed(capsys, clock):
    with Display(quiet_s=0.0, in_bytes=True) as display:
        display.progress("download", 6_000_000_000, 7_100_000_000)
        clock[0] += 40
        display.progress("download", 6_100_000_000, 7_100_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "auricle: note: download, 6 GB/7.1 GB",
        "auricle: note: download, 6.1 GB/7.1 GB, 6:40 min left, 2.5 MB/s",
    ]


def test_lines_do_not_tear_the_bar(terminal, capsys):
    screen = terminal()
    with Display() as display:
        display.error("before there is a bar")
        display.progress("captioning", 1, 3)
        with display.paused():
            display.error("inside a pause")
            display.progress("captioning", 2, 3)
            paused = screen.getvalue()
            print("a caption")
        assert paused.endswith("inside a pause\n")
        display.error("a" * 200)
    for line in screen.getvalue().split("\n"):
        assert "captioning" not in line or "auricle" not in line
    assert "auricle: error: inside a pause\n" in screen.getvalue()
    assert f"auricle: error: {'a' * 200}\n" in screen.getvalue()  # one line, as written
    assert "2/3" in screen.getvalue()
    assert capsys.readouterr().out == "a caption\n"


def test_a_generation_says_its_cost_at_first_and_so_far(capsys, clock):
    def now(done: int, made: int, failed: int, spent: float) -> GenerationStatus:
        asked, answered = TokenCount(spent, spent / 10), TokenCount(1000, 100)
        return GenerationStatus(done, 12, made, failed, 3, asked, answered, seconds=made / 2)

    with Display(quiet_s=0.0) as display:
        display.generation(now(2, 0, 0, 0.0))
        for status in (now(6, 4, 0, 400.0), now(11, 9, 1, 990.0)):
            clock[0] += 30
            display.generation(status, Price(1e3, 1e4))
    assert capsys.readouterr().err.splitlines() == [
        "auricle: note: 10 to ask for: about 1,100 tokens",
        "auricle: note: mix-ups, 2/12, 3 tried again",
        "auricle: note: mix-ups, 6/12, 3 s left, 2/s, 440 tokens (costs 0.8) of about 1,100 tokens"
        " (costs 2), 3 tried again",
        "auricle: note: mix-ups, 11/12, 2/s, 1,089 tokens (costs 2) of about 1,100 tokens"
        " (costs 2), 3 tried again, 1 failed",
    ]


def test_nothing_is_drawn_before_anything_is_said(terminal):
    screen = terminal()
    with Display():
        pass
    assert screen.getvalue() == ""


def test_a_validation_is_one_line():
    assert validation_line(3, found(), False) == "epoch 3: validation loss 2.315"
    whole = found(recall={"audio_to_text_r1": 0.123}, cider_d=0.4504)
    assert (
        validation_line(3, whole, True)
        == "epoch 3: validation loss 2.315, R@1 12 %, CIDEr-D 0.450, best"
    )


def test_sizes():
    assert [size(n) for n in (0, 999, 1000, 48_400_000, 7_020_000_000, 1.2e13)] == [
        "0 B", "999 B", "1 kB", "48.4 MB", "7.02 GB", "12000 GB",
    ]  # fmt: skip


def test_durations():
    assert [duration(s) for s in (0.4, 59.6, 61, 3599, 3600, 90061)] == [
        "0 s", "1:00 min", "1:01 min", "59:59 min", "1:00:00 h", "25:01:01 h",
    ]  # fmt: skip


def test_the_command_starts_without_the_model_code():
    import subprocess

    code = "import auricle.cli.progress, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
