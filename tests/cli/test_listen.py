"""`auricle listen`: lines of the sounds that a program sends, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import time
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from auricle.audio.load import load_audio
from auricle.cli import app
from auricle.cli.console import Stopped, stopping
from auricle.cli.listen import _source
from auricle.errors import AudioError
from auricle.records import LiveCaption
from auricle.writers import LiveWriter
from tests.helpers.paths import ROOT
from tests.helpers.skips import skipped_if_missing
from tests.helpers.stub_captioner import StubCaptioner

RATE = 16_000


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Birds from second 2.4 to 5.4, in faint noise."""
    birds = load_audio(ROOT / "examples/birds-singing.ogg", RATE).waveform[: 3 * RATE]
    scene = np.random.default_rng(0).standard_normal(8 * RATE).astype(np.float32) / 2000
    scene[round(2.4 * RATE) :][: 3 * RATE] += birds
    return scene


@pytest.fixture(scope="module")
def wav(sound) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="WAV")
    return file.getvalue()


@pytest.fixture
def listen():
    def run(data: bytes, *arguments: object):
        with skipped_if_missing():
            return CliRunner().invoke(app, ["listen", *map(str, arguments)], input=data)

    return run


def test_a_line_of_text_for_the_sound_and_what_it_took_on_stderr(listen, wav):
    result = listen(wav, "-", "--elapsed")
    assert result.exit_code == 0
    assert re.fullmatch(r"\[0:00:02\] .*bird.*\n", result.stdout)
    begin, end = result.stderr.splitlines()
    assert re.search(r"listening to .*; a line follows a sound by about 1\.\d s", begin)
    assert re.search(r"1 caption of 8 s .*: p50 \d.*; 0 s skipped, 0 overruns", end)


def test_raw_samples_and_records_in_a_file_that_grows(listen, sound, tmp_path):
    stereo = (np.stack([sound, sound], axis=1) * 32767).astype("<i2").tobytes()
    output = tmp_path / "heard.jsonl"
    options = ["-", "--channels", 2, "--rate", RATE, "--format", "jsonl", "--output", output]
    for _ in range(2):
        assert listen(stereo, *options).exit_code == 0
    first, second = (json.loads(line) for line in output.read_text("utf-8").splitlines())
    assert first["caption"] == second["caption"]
    assert (first["start_s"], first["end_s"]) == pytest.approx((2.4, 5.4), abs=0.3)
    assert first["goes_on"] is False
    assert first["candidates"]
    age = datetime.now().astimezone() - datetime.fromisoformat(first["time"])
    assert 0 < age.total_seconds() < 60


def test_it_stops_after_a_duration(listen, wav):
    result = listen(wav, "-", "--duration", 1.5)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "0 captions of 1.5 s" in result.stderr


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"no sound in it", ["-"], "not a WAV"),
        (b"", ["-"], "nothing came in"),
        (b"", ["-", "--rate", "0"], "rate_hz=0"),
        (b"", ["-", "--output", "/no/such/folder/a.txt"], "cannot be written"),
    ],
)
def test_wrong_use_is_one_line(listen, data, options, message):
    result = listen(data, *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_last_sound_captioned(program, wav, number):
    process = program("listen", "-", "--elapsed", stdin=subprocess.PIPE)
    assert process.stderr.readline() == "a library that prints\n"
    assert "listening to <stdin>" in process.stderr.readline()
    process.stdin.buffer.write(wav[: 44 + 2 * round(4.5 * RATE)])
    process.stdin.flush()
    time.sleep(0.5)
    process.send_signal(number)
    assert process.wait(timeout=20) == 128 + number
    assert process.stdout.read().endswith("[0:00:00] a tone of 4.5 s\n")
    assert process.stderr.read().endswith("interrupted: finished results have been written\n")
    process.stdin.close()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_first_signal_asks_and_a_second_one_ends():
    asked = []

    def work(signals: int) -> None:
        with stopping(lambda: asked.append("stop")):
            for number in range(signals):
                os.kill(os.getpid(), signal.SIGTERM)
                asked.append(f"after {number}")

    before = signal.getsignal(signal.SIGTERM)
    for signals in (1, 2):
        asked.clear()
        with pytest.raises(Stopped) as got:
            work(signals)
        assert asked == ["stop", "after 0"]
        assert got.value.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_terminal_is_no_sound(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(AudioError, match="no program writes to it; send sound into it: arecord"):
        _source("-")


@pytest.mark.usefixtures("run")
def test_options_reach_the_captioner():
    options = ["--sensitivity", 0.7, "--pause", 2, "--every", 0, "--candidates", 9, "--rate", 8000]
    result = CliRunner().invoke(app, ["listen", "-", *map(str, options)], input=bytes(16_000))
    assert result.exit_code == 0
    found = StubCaptioner.settings
    assert (found["sensitivity"], found["pause_s"], found["every_s"]) == (0.7, 2.0, None)
    assert (found["candidates"], found["raw"].rate_hz, found["raw"].channels) == (9, 8000, 1)


def test_lines_of_text():
    def line(goes_on: bool, elapsed: bool) -> str:
        stream = io.StringIO()
        when = "2026-01-02T03:04:05.678+01:00"
        caption = LiveCaption(
            "m",
            3725.9,
            3730,
            "a dog\x1b barks.",
            0.5,
            (),
            "tiny",
            "nucleus",
            0,
            None,
            when,
            goes_on,
        )
        LiveWriter(stream, elapsed).write(caption)
        return stream.getvalue()

    assert line(False, False) == "[03:04:05] a dog\\x1b barks.\n"
    assert line(True, True) == "[1:02:05] a dog\\x1b barks …\n"


def test_microphones_are_listed(monkeypatch):
    from auricle.audio.microphone import InputDevice

    found = [InputDevice(1, "built-in", 1, 48_000, True), InputDevice(4, "USB", 2, 16_000, False)]
    monkeypatch.setattr("auricle.audio.microphone.input_devices", lambda: found)
    result = CliRunner().invoke(app, ["listen", "--list-devices"])
    assert result.stdout.splitlines() == [
        "  1 * built-in (1 channel, 48000 Hz)",
        "  4   USB (2 channels, 16000 Hz)",
    ]
