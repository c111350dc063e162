"""The end of every command: one line and an exit code, whatever ends it; no escapes among them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import typer
from typer.testing import CliRunner

from auricle.cli import app
from auricle.cli.console import STOPS, exit_codes, say
from auricle.cli.progress import Display
from tests.helpers.paths import ROOT

WORK = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
import typer
from auricle.cli.console import exit_codes
app = typer.Typer()
@app.command()
def work():
    with exit_codes():
        try:
            print("begun", flush=True)
            time.sleep(60)
        finally:
            time.sleep(0.2)  # what is finished is written
            print("written", flush=True)
app()
"""


def work(**options) -> subprocess.Popen:
    """A command at work, which has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
@pytest.mark.parametrize("number", STOPS)
def test_a_signal_ends_it_as_ctrl_c_does(number):
    process = work(preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))  # a job
    process.send_signal(number)
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)  # again, while it is being obeyed
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (128 + number, "written\n")
    assert err == "auricle: interrupted: finished results have been written\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_an_ignored_signal_stays_ignored():
    process = work(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))  # nohup
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 143


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_closed_terminal_ends_it_quietly():
    import pty

    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=end, stdout=end, stderr=end, start_new_session=True
    )
    os.close(end)
    assert b"begun" in os.read(terminal, 100)
    os.close(terminal)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=20) == 128 + signal.SIGHUP


def ended(error: BaseException, capsys) -> tuple[int, str]:
    """(exit code, message) of a command that ``error`` ends."""

    def command() -> None:
        with exit_codes(), Display(quiet_s=60) as display:
            display.progress("encoding \x1b[1mclips", 3, 9)
            raise error

    with pytest.raises(typer.Exit) as end:
        command()
    return end.value.exit_code, capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 4 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 GiB"),
        RuntimeError("unable to mmap 9 bytes: Cannot allocate memory (12), not 4 GiB"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried 4 GiB"),
    ],
)
def test_a_full_memory_is_one_line_with_the_work_and_the_fix(error, capsys):
    code, message = ended(error, capsys)
    assert code == 1
    assert message.startswith(r"auricle: error: out of memory, encoding \x1b[1mclips 3/9 (")
    assert "4 GiB" in message
    assert "--batch-size" in message
    assert message.count("\n") == 1


def test_other_errors_of_the_program_stay_tracebacks():
    with pytest.raises(RuntimeError, match="our own"), exit_codes():
        raise RuntimeError("our own")


def test_messages_hold_no_escapes(capsys):
    say("note", "two  spaces\x1b[31m.wav\n  next line\n")
    assert capsys.readouterr().err == "auricle: note: two  spaces\\x1b[31m.wav next line\n"
    for arguments in (["caption", "--\x1b[31m"], ["caption", "a.wav", "--format", "\x1b[31m"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert r"\x1b[31m" in result.stderr
        assert "\x1b" not in result.stderr
    assert "\n\n  " in CliRunner().invoke(app, ["models"]).output  # a help of many lines
