"""Inputs that once did harm, and the judge that would see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from auricle.errors import AudioError
from tests.fuzz.judge import FINE, judged
from tests.fuzz.process import Process
from tests.fuzz.reader import SHARES, Reader, reader
from tests.fuzz.run import shared_out

CORPUS = Path(__file__).parent / "corpus"
ENTRIES = sorted(entry.relative_to(CORPUS).as_posix() for entry in CORPUS.glob("*/*"))


@pytest.mark.parametrize("entry", ENTRIES)
def test_inputs_that_once_did_harm(entry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some readers go into the folder of their input
    found = reader(entry.partition("/")[0])
    outcome = judged(found, found.restore(CORPUS / entry, tmp_path))
    assert outcome.kind in FINE, outcome


def test_every_entry_is_of_a_reader():
    assert {entry.partition("/")[0] for entry in ENTRIES} <= SHARES.keys()


def _failing(error: BaseException) -> Reader:
    def read(path):
        raise error

    return Reader(lambda random, folder: folder, read)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AudioError("{}: no sound"), "refused"),
        (AudioError("no name"), "unnamed"),
        (AudioError("{}: a\nb"), "no single line"),
        (AudioError("{}" + "x" * 3000), "no single line"),
        (KeyError("x"), "KeyError"),
        (MemoryError(), "MemoryError"),
        (SystemExit(), "SystemExit"),
    ],
)
def test_a_fault_is_seen(error, kind, tmp_path):
    error.args = tuple(str(one).replace("{}", str(tmp_path / "a.wav")) for one in error.args)
    assert judged(_failing(error), tmp_path / "a.wav").kind == kind


def test_a_process_that_dies_is_replaced(tmp_path, monkeypatch):
    path = tmp_path / "range"
    path.write_bytes(b"bytes=0-1")
    with Process("ranges") as process:
        assert process.outcome(path).kind == "read"
        process._process.kill()
        process._process.join()
        assert process.outcome(path).kind == "crash"
        assert process.outcome(path).kind == "read"


def test_inputs_are_shared_out():
    shares = shared_out(list(SHARES), 10_000)
    assert shares.keys() == SHARES.keys()
    assert sum(shares.values()) == pytest.approx(10_000, abs=len(SHARES))
