"""Recordings that another process decodes: the same sound and messages, and no way to do harm."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest

from auricle.audio import isolated
from auricle.audio.decoder_process import packed
from auricle.audio.isolated import Decoders, Process
from auricle.audio.kinds import AudioInput, is_one, recognise, source_name
from auricle.audio.load import load_audio, load_sections
from auricle.audio.readers import open_container
from auricle.audio.source import opened
from auricle.audio.stream import RecordingStream
from auricle.errors import AudioError, DecoderDied
from auricle.parts import Parts
from tests.fuzz.audio import content
from tests.helpers.models import captioner_of
from tests.helpers.paths import EXAMPLES
from tests.helpers.sounds import tone

RATE = 16_000
SECTIONS = [(0.0, 1.0), (0.8, 2.5), (4.0, None)]
KINDS = ["wav", "flac", "ogg", "opus", "mp3", "vbr.mp3", "m4a", "mp4", "mkv", "streamed.webm"]
RAIN = EXAMPLES / "rain-and-thunder.ogg"
BEGUN = "import sys, time; say = lambda b: (sys.stdout.buffer.write(b), sys.stdout.flush());"
BEGUN += f"say({packed({})!r});"


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders(2) as decoders:
        yield decoders


def fake(then: str) -> tuple[str, ...]:
    """A command that begins as a decoder does, and then does something else."""
    return (sys.executable, "-c", f"{BEGUN} {then}")


def patched(opening: str) -> tuple[str, ...]:
    """The command of a decoder, which executes ``opening`` where it would open a file."""
    program = (
        "import auricle.audio.decoder_process as process\n"
        f"def opening(stream):\n    {opening}\n"
        "process.open_container = opening\n"
        "process.main()"
    )
    return (sys.executable, "-c", program)


def children() -> set[int]:
    """Processes that this one has started and that run."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent, *_ = path.read_text().rpartition(")")[2].split()
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(path.parent.name))
    return found


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def eventually(happens: Callable[[], bool], within_s: float = 5.0) -> bool:
    give_up = time.monotonic() + within_s
    while not happens() and time.monotonic() < give_up:
        time.sleep(0.01)
    return happens()


def outcome(source: AudioInput) -> tuple[list[tuple], str]:
    """What is read of sections, and the error after them."""
    found = []
    try:
        for one in load_sections(source, RATE, SECTIONS):
            found.append((one.waveform.tobytes(), one.duration_s, one.missing_s))
    except AudioError as error:
        return found, f"{type(error).__name__}: {error}"
    return found, ""


def sound(seconds: float, rate_hz: int, channels: int = 1) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((round(seconds * rate_hz), channels))
    return (0.1 * noise).astype(np.float32)[:, slice(None) if channels > 1 else 0]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_blocks_sections_pieces_and_parts(tmp_path, write_sound, decoders, kind, channels):
    rate_hz = 48_000 if kind in ("opus", "streamed.webm") else 44_100
    path = write_sound(tmp_path / f"a.{kind}", sound(12.0, rate_hz, channels), rate_hz)
    source = decoders.source(path, str(path))
    with (
        opened(path, "a") as stream,
        contextlib.closing(open_container(stream)) as own,
        contextlib.closing(source.open_reader()) as other,
    ):
        assert other.rate_hz == own.rate_hz
        for start in (0, 300_001):
            for block, same in zip(own.blocks(start), other.blocks(start), strict=True):
                assert same.shape == block.shape
                np.testing.assert_array_equal(same, block)
        assert other.duration_s() == own.duration_s()
        assert other.declared_s() == own.declared_s()
    for read in (
        lambda given: list(load_sections(given, RATE, [(0.0, 1.0), (0.5, 2.0), (9.1, None)])),
        lambda given: [*Parts(given, RATE, 5.0)],
    ):
        for same, expected in zip(read(source), read(path), strict=True):
            np.testing.assert_array_equal(same.waveform, expected.waveform)
            assert (same.name, same.start_s, same.duration_s, same.missing_s) == (
                *(expected.name, expected.start_s, expected.duration_s, expected.missing_s),
            )
    for same, expected in zip(
        RecordingStream(source, RATE), RecordingStream(path, RATE), strict=True
    ):
        np.testing.assert_array_equal(same, expected)
    assert decoders.deaths == 0


@pytest.mark.parametrize("kind", KINDS)
def test_files_cut_short_and_damaged_end_alike(tmp_path, write_sound, decoders, kind):
    path = write_sound(tmp_path / f"a.{kind}", sound(6.0, 48_000), 48_000)
    content = bytearray(path.read_bytes())
    damaged = bytearray(content)
    size = len(content)
    damaged[size // 2 : size * 3 // 4] = b"\xa5" * (size * 3 // 4 - size // 2)
    for broken in (content[: size // 2], damaged, content[:100]):
        path.write_bytes(broken)
        assert outcome(decoders.source(path, str(path))) == outcome(path)
    assert decoders.deaths == 0


def test_what_is_no_recording_is_refused_in_the_same_words(tmp_path, decoders):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.mp3").write_text("no sound" * 1000)
    (tmp_path / "midi").write_bytes(b"\xf0\x7e\0\1" * 1000)  # libsndfile prints about these
    for name in ("empty.wav", "text.mp3", "midi", "missing\udcff.wav", ""):
        path = tmp_path / name
        told = outcome(decoders.source(path, str(path)))
        assert told == outcome(path)
        assert told[1]


def test_it_is_one_recording_and_has_the_name_that_it_is_given(decoders):
    source = decoders.source(RAIN, "https://example.org/rain.ogg")
    assert is_one(source)
    assert source_name(source) == "https://example.org/rain.ogg"  # and yet a file is opened
    assert recognise(source) == ("https://example.org/rain.ogg", source)
    assert load_audio(source, RATE).name == "https://example.org/rain.ogg"
    with pytest.raises(AudioError, match=r"^client\.wav: no such file"):
        load_audio(decoders.source(Path("/secret/place.wav"), "client.wav"), RATE)


def test_captions_and_timelines_are_the_same(bundle, decoders):
    captioner = captioner_of(bundle)
    paths = [RAIN, EXAMPLES / "man-speaking.mp3"]
    sources = [decoders.source(path, str(path)) for path in paths]
    assert captioner.caption(sources) == captioner.caption(paths)
    spans = [[*captioner.timeline(given)] for given in (sources[0], RAIN)]
    assert spans[0] == spans[1]


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


@pytest.mark.slow
def test_mutated_files_give_the_same_sound_or_the_same_words(tmp_path):
    pytest.importorskip("av", reason="the extra auricle[av] is not installed")
    kinds = set()
    with Decoders(1, memory_bytes=2**32) as decoders:
        for number in range(150):
            path = tmp_path / str(number)
            path.write_bytes(content(Random(number))[1])
            told = outcome(decoders.source(path, str(path)))
            assert told == outcome(path), number
            kinds.add(told[1] == "")
        assert decoders.deaths == 0
    assert kinds == {True, False}
