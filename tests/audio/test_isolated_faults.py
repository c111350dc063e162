"""Processes that decode and die, hang, lie, take too much, or lose their parent."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from auricle.audio import isolated
from auricle.audio.decoder_process import packed
from auricle.audio.isolated import Decoders, Process
from auricle.audio.load import load_audio
from auricle.errors import AudioError, DecoderDied
from tests.helpers.decoders import (
    RAIN,
    RATE,
    children,
    eventually,
    fake,
    open_files,
    patched,
    sound,
)
from tests.helpers.sounds import tone


def died(decoders: Decoders, path: Path = RAIN) -> str:
    deaths = decoders.deaths
    with pytest.raises(DecoderDied) as caught:
        load_audio(decoders.source(path, "rain.ogg"), RATE)
    assert decoders.deaths == deaths + 1
    message = str(caught.value)
    assert message.startswith("rain.ogg: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_is_killed_loses_one_recording(tmp_path, write_sound, number):
    path = write_sound(tmp_path / "a.wav", sound(30.0, 44_100), 44_100)
    before = children()
    with Decoders() as decoders:
        with contextlib.closing(decoders.source(path, "a.wav").open_reader()) as reader:
            blocks = reader.blocks()
            next(blocks)
            (process,) = children() - before
            os.kill(process, number)
            with pytest.raises(
                DecoderDied, match=r"^a\.wav: its decoder crashed, or .* 1 GiB .*convert it"
            ):
                list(blocks)
            with pytest.raises(DecoderDied, match="crashed"):  # the first reason stays
                reader.duration_s()
        assert decoders.deaths == 1
        assert load_audio(decoders.source(path, "a.wav"), RATE).duration_s == 30.0
        assert decoders.deaths == 1
    assert children() == before


def test_a_process_that_dies_while_it_waits_is_replaced():
    before = children()
    with Decoders() as decoders:
        load_audio(decoders.source(RAIN, "rain.ogg"), RATE)
        (process,) = children() - before
        os.kill(process, signal.SIGKILL)
        assert eventually(lambda: process not in children())
        load_audio(decoders.source(RAIN, "rain.ogg"), RATE)
        assert decoders.deaths == 0


def test_a_process_that_hangs_is_ended():
    before = children()
    with Decoders(wait_s=0.3, command=fake("time.sleep(60)")) as decoders:
        began = time.monotonic()
        assert "took longer than 0.3 s;" in died(decoders)
        assert time.monotonic() - began < 5
        assert children() == before


def test_all_answers_about_a_recording_together_have_a_limit():
    answer = packed({"number": 16_000.0})
    slow = f"[(time.sleep(0.2), say({answer!r})) for _ in range(50)]"
    with Decoders(total_s=0.5, command=fake(slow)) as decoders:
        assert "longer than 0.5 s in all" in died(decoders)


def header(**values) -> bytes:
    return packed(values)


@pytest.mark.parametrize(
    "lie",
    [
        b"\xff\xff\xff\xff",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\0\0\0\4junk",
        b"\0\0\0\2\xff\xff",
        packed([1, 2]),
        packed(None),
        struct.pack(">I", 100_000) + b"[" * 100_000,
        header(number="16000"),
        header(number=True),
        header(number=float("nan")),
        header(number=10**400),
        header(rate=16_000),
        header(error="SystemExit", message="x"),
        header(error="AudioError", message=["x"]),
        header(frames=[4096], channels=[1]),
        header(frames=[-1], channels=[1], planar=[False]),
        header(frames=[-1, 2], channels=[1, 1], planar=[False, False]),
        header(frames=[10], channels=[0], planar=[False]),
        header(frames=[10], channels=[1025], planar=[False]),
        header(frames=[2**40], channels=[1], planar=[False]),
        header(frames=[2**24], channels=[64], planar=[False]),
        header(frames=[1.5], channels=[1], planar=[False]),
        header(frames=[1] * 257, channels=[1] * 257, planar=[False] * 257),
        header(frames="4096", channels=[1], planar=[0]),
    ],
)
def test_a_process_that_lies_is_ended(lie):
    with Decoders(wait_s=5, command=fake(f"say({lie!r}); time.sleep(60)")) as decoders:
        assert "no answer that can be used" in died(decoders)


def test_samples_that_come_too_slowly_or_not_at_all():
    told = header(frames=[4096], channels=[2], planar=[False])
    trickle = f"say({told!r}); [(say(b'x'), time.sleep(0.01)) for _ in range(10_000)]"
    with Decoders(wait_s=0.5, command=fake(trickle)) as decoders:
        assert "took longer" in died(decoders)
    with Decoders(command=fake(f"say({told!r})")) as decoders:
        assert "crashed" in died(decoders)


def test_a_process_that_cannot_begin_says_how_to_find_out_why():
    for command in (("/no/such/program",), (sys.executable, "-c", "raise SystemExit(1)")):
        with Decoders(command=command) as decoders:
            assert "can begin (" in (told := died(decoders))
            assert f"run {command[0]}" in told


@pytest.mark.parametrize(
    "codec",
    [
        "bytearray(2**29)",
        "import ctypes; ctypes.string_at(0)",
        "import os; os.abort()",
        "raise RuntimeError",
    ],
)
def test_codecs_that_take_too_much_or_crash(codec):
    with Decoders(memory_bytes=2**29, command=patched(codec)) as decoders:
        assert "crashed, or needed more than 0.5 GiB of memory" in died(decoders)


def told_by(codec: str, **options) -> str:
    """The message of an AudioError that a patched codec raises with a value."""
    command = patched(f"import os, resource, sys; raise process.AudioError(str({codec}))")
    with Decoders(command=command, **options) as decoders, pytest.raises(AudioError) as caught:
        load_audio(decoders.source(RAIN, "rain.ogg"), RATE)
    assert type(caught.value) is AudioError
    return str(caught.value)


def test_a_process_has_limits_and_no_secrets(monkeypatch):
    monkeypatch.setenv("API_KEY", "secret")
    limits = "[resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[0] for name in"
    limits += " ('AS', 'CORE', 'FSIZE', 'NOFILE')]"
    assert told_by(limits, memory_bytes=2**29) == f"[{2**29}, 0, 0, 64]"
    environment = told_by("dict(os.environ)")
    assert "secret" not in environment
    assert "'OMP_NUM_THREADS': '1'" in environment
    assert told_by("os.getsid(0) == os.getpid()") == "True"
    assert told_by("[name in sys.modules for name in ('torch', 'av', 'rich')]") == str([False] * 3)
    assert told_by("sorted(map(int, os.listdir('/proc/self/fd')))[:4]") == "[0, 1, 2, 3]"


def test_twenty_threads_at_once(tmp_path, write_sound):
    before = children()
    lengths = [0.5 + 0.1 * number for number in range(20)]
    paths = [
        write_sound(tmp_path / f"{number}.flac", tone(length_s, RATE), RATE)
        for number, length_s in enumerate(lengths)
    ]
    with Decoders(3) as decoders, ThreadPoolExecutor(20) as threads:
        sources = [decoders.source(path, path.name) for path in paths]
        for recording, path in zip(
            threads.map(lambda source: load_audio(source, RATE), sources), paths, strict=True
        ):
            assert recording.name == path.name
            np.testing.assert_array_equal(recording.waveform, load_audio(path, RATE).waveform)
        assert decoders.deaths == 0
        assert len(children() - before) <= 3
    assert children() == before


def test_nothing_is_left_of_two_hundred_recordings(tmp_path, write_sound):
    path = write_sound(tmp_path / "a.wav", sound(20.0, RATE), RATE)
    (tmp_path / "b.wav").write_bytes(b"RIFF" + bytes(100))
    before, files = children(), open_files()
    with Decoders(1) as decoders:
        for number in range(200):
            if number in (50, 150):
                with pytest.raises(AudioError):
                    load_audio(decoders.source(tmp_path / "b.wav", "b"), RATE)
            reader = decoders.source(path, "a").open_reader()
            if number % 3:
                next(reader.blocks())  # and is closed early
            reader.close()
            assert len(children() - before) <= 1
        assert decoders.deaths == 0
    assert children() == before
    assert open_files() == files


def test_a_process_is_used_again_but_not_for_ever_nor_after_broken_data(tmp_path, monkeypatch):
    monkeypatch.setattr(isolated, "RECORDINGS", 3)
    before = children()
    used = []
    with Decoders(1) as decoders:
        for _ in range(4):
            with contextlib.closing(decoders.source(RAIN, "a").open_reader()):
                used += children() - before
        assert len(set(used[:3])) == 1
        assert used[3] != used[2]
        with pytest.raises(AudioError):
            load_audio(decoders.source(tmp_path / "missing", "b"), RATE)
        assert children() == before


def test_an_interruption_while_it_waits_does_not_mix_up_answers(monkeypatch):
    expected = load_audio(RAIN, RATE).waveform
    with Decoders(1) as decoders:
        with monkeypatch.context() as patch:
            patch.setattr(Process, "_receive", interrupted(Process._receive))
            with pytest.raises(KeyboardInterrupt):
                load_audio(decoders.source(RAIN, "a"), RATE)
        waveform = load_audio(decoders.source(RAIN, "a"), RATE).waveform
        np.testing.assert_array_equal(waveform, expected)
        assert decoders.deaths == 0


def interrupted(receive):
    """``receive``, whose fourth answer comes after an interruption."""
    left = [3]

    def receive_or_not(*arguments):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return receive(*arguments)

    return receive_or_not


def test_a_killed_parent_leaves_no_orphan():
    program = (
        "import sys, time; from pathlib import Path; from auricle.audio.isolated import Decoders\n"
        f"reader = Decoders().source(Path({str(RAIN)!r}), 'a').open_reader()\n"
        "print(reader._process._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        orphan = int(parent.stdout.readline())
        assert runs(orphan)
        parent.kill()
    assert eventually(lambda: not runs(orphan))


def runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_codec_that_hangs_ends_without_its_parent_too(tmp_path):
    os.mkfifo(tmp_path / "a.wav")  # which waits for its writer
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "auricle.audio.decoder_process", str(2**30), "-4.5"]
    with ours, theirs, subprocess.Popen(command, stdin=theirs, stdout=theirs) as process:
        ours.sendall(packed(["open", str(tmp_path / "a.wav"), "a"]))
        assert process.wait(10) == -signal.SIGALRM


def test_the_keyboard_and_a_service_manager_end_the_parent_first():
    before = children()
    with Decoders() as decoders:
        load_audio(decoders.source(RAIN, "a"), RATE)
        (process,) = children() - before
        os.kill(process, signal.SIGINT)
        os.kill(process, signal.SIGTERM)
        load_audio(decoders.source(RAIN, "a"), RATE)
        assert children() - before == {process}
