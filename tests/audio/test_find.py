"""Recordings are found by every way to name them, and what is none is named, not opened."""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from auricle.audio.find import find_audio_files
from auricle.audio.load import load_audio
from auricle.errors import AudioError

DEEP = 1200  # folders in folders; Python recurses 1000 times
posix = pytest.mark.skipif(sys.platform == "win32", reason="no pipes among files")


@pytest.fixture
def found(tmp_path, monkeypatch):
    """``found(*paths)`` -> (names, {name: reason}), in an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def find(*paths: str) -> tuple[list[str], dict[str, str]]:
        inputs = find_audio_files(paths)
        reasons = {
            one.name: str(one.error).removeprefix(f"{one.name}: ") for one in inputs if one.error
        }
        return [one.name for one in inputs if not one.error], reasons

    return find


@pytest.fixture
def stdin(monkeypatch):
    """``stdin(content)`` is what the program is sent."""

    class Sent(io.BytesIO):
        name = "<stdin>"

    def send(content: bytes, terminal: bool = False) -> None:
        sent = SimpleNamespace(buffer=Sent(content), isatty=lambda: terminal)
        monkeypatch.setattr(sys, "stdin", sent)

    return send


def files(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_files_and_folders_in_order_each_once(found):
    files(
        "b.WAV", "a.wav", "sub/c.flac", ".hidden.wav", ".git/d.wav", "sub/공원 e.ogg", "notes.txt"
    )
    Path("bare").mkdir()
    names, reasons = found("notes.txt", ".", "gone.wav", "./a.wav", "bare", "a.wav")
    assert names == ["notes.txt", "a.wav", "b.WAV", "sub/c.flac", "sub/공원 e.ogg"]
    assert list(reasons) == ["gone.wav", "bare"]
    assert "no such file" in reasons["gone.wav"]
    assert "no audio file" in reasons["bare"]
    everything = find_audio_files(["gone.wav", "a.wav", "bare", "b.WAV"])
    assert [one.name for one in everything] == ["gone.wav", "a.wav", "bare", "b.WAV"]


def test_patterns(found):
    files("s/b.wav", "s/a.wav", "s/t.txt", "s/deep/er/c.wav", "s/deep/.hid/d.wav", ".x/e.wav")
    assert found("s/*.wav") == (["s/a.wav", "s/b.wav"], {})
    assert found("s/**/*.wav") == (["s/a.wav", "s/b.wav", "s/deep/er/c.wav"], {})
    assert found("*/deep/?r/[a-c].wav")[0] == ["s/deep/er/c.wav"]
    assert found("s/d*")[0] == found("s/deep/**")[0] == ["s/deep/er/c.wav"]  # folders are searched
    assert found(f"{Path.cwd()}/s/[!b].wav")[0] == [f"{Path.cwd()}/s/a.wav"]
    assert found("**/.hid/*.wav")[0] == ["s/deep/.hid/d.wav"]
    assert "matches" in found("*.flac")[1]["*.flac"]
    assert "Not a directory" in found("s/a.wav/*")[1]["s/a.wav"]


def test_a_file_with_the_name_of_a_pattern_or_list_comes_first(found):
    files("[ab].wav", "a.wav", "@list", "@home/b.wav")
    Path("list").write_text("a.wav")
    assert found("[ab].wav") == (["[ab].wav"], {})
    assert found("@list", "@home") == (["@list", "@home/b.wav"], {})


def test_a_list(found, stdin):
    files("a.wav", "s/비 b.wav", "#c.wav", "-", "*.wav")
    text = "\ufeff# mine\na.wav\r\n\n  \n./#c.wav\ns\n*.wav\n-\ngone.wav\n@x\n" + "n" * 5000
    Path("list.txt").write_text(text, encoding="utf-8")
    names, reasons = found("@list.txt")
    assert names == ["a.wav", "#c.wav", "s/비 b.wav", "*.wav", "-"]
    assert list(reasons) == ["gone.wav", "@x", "n" * 5000]
    assert "line 9 of list.txt" in reasons["gone.wav"]
    stdin("s/비 b.wav\n".encode())
    assert found("@-") == (["s/비 b.wav"], {})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no list of paths that can be read"),
        (b"RIFF\0\0\0\0WAVE", "UTF-8 text"),
        ("소리.wav".encode("cp949"), "UTF-8 text"),
        ("a.wav\n".encode("utf-16"), "UTF-8 text"),
        (b"# nothing\n\n", "empty"),
    ],
)
def test_a_list_that_is_none(found, content, words):
    if content is not None:
        Path("list").write_bytes(content)
    names, reasons = found("@list")
    assert not names
    assert words in reasons["@list"]


def test_standard_input(found, stdin, write_tone, monkeypatch):
    stdin(write_tone("a.wav").read_bytes())
    (one,) = find_audio_files(["-", "-"])
    recording = load_audio(one.source(), 16_000)
    assert (recording.name, recording.duration_s) == ("<stdin>", 1.0)
    stdin(b"", terminal=True)
    assert "a terminal" in found("-")[1]["<stdin>"]
    monkeypatch.setattr(sys, "stdin", None)
    assert "closed" in found("-")[1]["<stdin>"]
    assert "closed" in found("@-")[1]["@-"]
    files("-")
    assert found("./-") == (["-"], {})


@posix
def test_pipes_devices_and_sockets_that_are_found_are_not_opened(found):
    files("s/a.wav")
    os.mkfifo("s/p.wav")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("s/s.wav")
    for names, reasons in (found("s"), found("s/*"), found("**/*.wav")):
        assert names == ["s/a.wav"]
        assert "a pipe" in reasons["s/p.wav"]
        assert "a socket" in reasons["s/s.wav"]
    for named in ("s/s.wav", "/dev/zero"):
        assert "not a recording" in found(named)[1][named]
    assert "not a list" in found("@/dev/zero")[1]["@/dev/zero"]
    assert found("s", "s/p.wav")[0] == ["s/a.wav", "s/p.wav"]


@posix
def test_a_pipe_that_is_named_is_read(found, write_tone):
    content = write_tone("a.wav").read_bytes()
    os.mkfifo("p.wav")
    (one,) = find_audio_files(["p.wav"])
    writer = threading.Thread(target=Path("p.wav").write_bytes, args=(content,))
    writer.start()
    recording = load_audio(one.source(), 16_000)
    writer.join()
    assert (recording.name, recording.duration_s) == ("p.wav", 1.0)


def test_a_pipe_that_cannot_be_read_fails_when_it_is_loaded(found, stdin, monkeypatch):
    stdin(b"")
    monkeypatch.setattr(sys.stdin.buffer, "read", lambda size: os.open("gone", os.O_RDONLY))
    (one,) = find_audio_files(["-"])
    source = one.source()
    with pytest.raises(AudioError, match=r"^<stdin>: cannot be read to its end"):
        load_audio(source, 16_000)


@posix
def test_a_pipe_without_end_takes_bounded_memory(found, monkeypatch):
    monkeypatch.setattr("auricle.audio.source.PIPE_MOST", 1 << 22)
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr(sys, "stdin", endless)
        source = find_audio_files(["-"])[0].source()
    with pytest.raises(AudioError, match=r"^<stdin>: a pipe of more than"):
        load_audio(source, 16_000)


@posix
def test_loops_and_depth(found):
    files("s/x.wav")
    for name in ("a", "b"):
        Path("s", name).symlink_to(".")  # a search that followed both would double at each level
    Path("s/loop.wav").symlink_to("loop.wav")
    for path in ("s", "s/**/*.wav"):
        assert found(path) == (["s/loop.wav", "s/x.wav"], {})
    place = Path.cwd()
    try:
        for _ in range(DEEP):
            Path("d").mkdir()
            os.chdir("d")
        os.chdir(place)
        assert list(found("d")[1]) == ["d"]
        assert list(found("d/**/*.wav")[1]) == ["d/**/*.wav"]
    finally:
        os.chdir(place / "/".join("d" * DEEP))
        for _ in range(DEEP):
            os.chdir("..")
            Path("d").rmdir()


def test_the_root_is_the_folder_that_was_given(tmp_path, write_tone):
    path = write_tone("x/y/a.wav")
    for given, root in (
        (tmp_path / "x", "x"),
        (path, "x/y"),
        (tmp_path / "x" / "y" / "*.wav", "x/y"),
        (tmp_path / "x" / "**" / "a.wav", "x"),
        (tmp_path / "*" / "y", ""),
    ):
        (one,) = find_audio_files([given])
        assert (one.path, one.root) == (path, tmp_path / root)
