"""The file of `--output`: what it held is safe until there is something better."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest
import typer

from auricle.cli.output import opened
from auricle.errors import OutputError

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such files")


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "out.txt"


def test_a_new_file_holds_each_record_once_it_is_flushed(file):
    with opened(file, False, io.StringIO()) as to:
        to.write("head\n")
        to.write("비\udcff\n")
        to.flush()
        assert file.read_text(encoding="utf-8") == "head\n비\\udcff\n"
        to.write("two\r\n")
        to.flush()
        assert file.read_bytes().endswith(b"\ntwo\r\n")
        to.write("end\n")
    assert file.read_bytes().endswith(b"two\r\nend\n")


@pytest.mark.parametrize("keep", [False, True])
def test_a_new_file_without_a_record(file, keep):
    with opened(file, False, io.StringIO(), failures_too=keep) as to:
        to.write("failures\n")
    assert file.exists() == keep
    assert not keep or file.read_text() == "failures\n"


def test_a_file_that_holds_something_is_refused(file):
    file.write_text("earlier")
    with pytest.raises(typer.BadParameter, match="--overwrite"), opened(file, False, io.StringIO()):
        pass
    assert file.read_text() == "earlier"
    file.write_text("")  # of mktemp
    with opened(file, False, io.StringIO()) as to:
        to.write("new")
        to.flush()
    assert file.read_text() == "new"


@pytest.mark.parametrize("failures_too", [False, True])
def test_overwriting_begins_with_the_first_record(file, failures_too):
    file.write_text("earlier\n" * 10_000)
    before = file.stat()
    link = file.with_name("link")
    link.symlink_to(file)
    with opened(link, True, io.StringIO(), failures_too) as to:
        to.write("failures\n" * 10_000)
    assert file.read_text() == "earlier\n" * 10_000
    with opened(link, True, io.StringIO(), failures_too) as to:
        to.write("new\n")
        assert file.read_text() == "earlier\n" * 10_000
        to.flush()
        assert file.read_text() == "new\n"
    assert (file.stat().st_ino, link.is_symlink()) == (before.st_ino, True)


def test_an_interruption_within_the_first_record_leaves_no_old_end(file, monkeypatch):
    file.write_text("earlier\n" * 100)
    with opened(file, True, io.StringIO()) as to:
        to.write("[\nnew")
        monkeypatch.setattr(to, "_file", Interrupted(to._file))
        with pytest.raises(KeyboardInterrupt):
            to.flush()
        to.write("\n]\n")
    assert file.read_text() == "[\nnew\n]\n"


class Interrupted:
    """A file whose first flush is the last thing before an interruption."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file, self._calls = file, 0

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def flush(self) -> None:
        self._file.flush()
        self._calls += 1
        if self._calls == 1:
            raise KeyboardInterrupt


def test_what_cannot_be_written_is_refused(file):
    for path in (file.parent, file / "x", file.parent / "gone" / "x\x1b"):
        file.touch()
        with pytest.raises(typer.BadParameter, match="cannot be written") as refused:
            opened(path, True, io.StringIO())
        assert "\x1b" not in str(refused.value)


@posix
def test_pipes_devices_and_stdout_itself(file, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    with opened(pipe, False, io.StringIO()) as to:
        to.write("one")
    reader.join()
    assert got == ["one"]
    with opened(Path(os.devnull), False, io.StringIO()) as to:
        to.write("one")
    with file.open("w") as stdout:  # as by `--output log >> log` and by /dev/stdout
        stdout.write("earlier ")
        stdout.flush()
        with opened(file, False, stdout) as to:
            assert to is stdout
            to.write("new")
        assert file.read_text() == "earlier new"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_with_the_name_of_the_file(file, monkeypatch):
    opening = Path.open

    def open_full(path, mode="r", **options):
        opening(path, mode, **options).close()
        return opening(Path("/dev/full"), "w", **options)

    monkeypatch.setattr(Path, "open", open_full)

    def write():
        with opened(file, False, io.StringIO()) as to:
            to.write("one\n")
            to.flush()

    with pytest.raises(OutputError, match=r"out\.txt: cannot be written to its end \(No space"):
        write()
    assert not file.exists()
