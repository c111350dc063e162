"""The ledger: its rows, and files that are none."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from auricle.errors import DataError, OutputError
from auricle.ledger import NAME, VERSION, Ledger, Row, Work, alone

WORK = Work("tiny", "abc", "{}")


@pytest.fixture
def path(tmp_path):
    return tmp_path / NAME


def row(name: str, **more) -> Row:
    return Row("caption", f"/sounds/{name}", name, **more)


def test_a_row_is_found_as_it_was_put(path):
    full = row(
        "a\udcff.wav",
        state="done",
        work=1,
        size=3,
        mtime_ns=2**62,
        content="ff",
        duration_s=1.5,
        caption="a dog\nbarks",
        sidecars={f"{path.parent}/a\udcff.wav.jsonl": 7},
        finished="2026-01-01",
    )
    with Ledger(path, writable=True) as ledger:
        assert ledger.work(WORK) == ledger.work(WORK) == 1
        ledger.put(row("a\udcff.wav"))
        ledger.put(full)
        ledger.put(row("b.wav", state="failed", reason="no sound"))
    with Ledger(path) as ledger:
        assert ledger.find("caption", full.recording) == full
        assert ledger.find("timeline", full.recording) is None
        assert ledger.named("caption", "a\udcff.wav") == full
        assert ledger.work(replace(WORK, digest="other")) is None
        assert [found for found, _ in ledger.rows("failed")] == [
            row("b.wav", state="failed", reason="no sound")
        ]
        assert {found.name: work for found, work in ledger.rows()} == {
            full.name: WORK,
            "b.wav": None,
        }
        assert ledger.counts() == {("caption", "done"): 1, ("caption", "failed"): 1}


def test_two_recordings_never_share_a_name(path):
    with Ledger(path, writable=True) as ledger:
        ledger.put(row("a.wav"))
        with pytest.raises(DataError):
            ledger.put(replace(row("b.wav"), name="a.wav"))
        assert ledger.find("caption", "/sounds/a.wav")


def test_recordings_move_with_their_ledger(tmp_path):
    (tmp_path / "old").mkdir()
    here = replace(row("a.wav"), recording=str(tmp_path / "old" / "s" / "a.wav"))
    with Ledger(tmp_path / "old" / NAME, writable=True) as ledger:
        ledger.put(here)
    (tmp_path / "old").rename(tmp_path / "new")
    with Ledger(tmp_path / "new" / NAME) as ledger:
        moved = str(tmp_path / "new" / "s" / "a.wav")
        assert ledger.find("caption", moved) == replace(here, recording=moved)


def test_a_ledger_is_read_while_it_is_written(path):
    with Ledger(path, writable=True) as ledger:
        ledger.put(row("a.wav"))
        with Ledger(path) as reader:
            rows = reader.rows()
            assert next(rows)[0].name == "a.wav"
            ledger.put(row("b.wav"))
    with Ledger(path) as reader:
        assert len(list(reader.rows())) == 2


def foreign(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE mine (a)")


def newer(path):
    with Ledger(path, writable=True):
        pass
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")


def torn(path):
    with Ledger(path, writable=True) as ledger:
        for number in range(2000):
            ledger.put(row(f"{number}.wav"))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) // 2 - 4096))


def odd(path):
    with Ledger(path, writable=True) as ledger:
        ledger.put(row("a.wav"))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE recordings SET sidecars = '[1'")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("a diary\n" * 1000), "no ledger, or damaged"),
        (lambda path: path.write_bytes(b""), "empty, no ledger"),
        (foreign, "a database, but no ledger of auricle"),
        (newer, f"version {VERSION + 1}, written by a newer auricle; this one knows {VERSION}"),
        (torn, "damaged"),
        (odd, "damaged"),
    ],
)
def test_what_is_no_ledger_is_one_line(path, make, words):
    make(path)
    with pytest.raises(DataError, match=words) as refused, Ledger(path) as ledger:
        list(ledger.rows())
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_an_empty_file_becomes_a_ledger(path):
    path.write_bytes(b"")  # of a run that was killed at once
    with Ledger(path, writable=True) as ledger:
        ledger.put(row("a.wav"))
    with Ledger(path) as ledger:
        assert ledger.counts() == {("caption", "open"): 1}


def test_a_full_disk_is_an_output_error(path):
    with Ledger(path, writable=True) as ledger:
        ledger._database.execute("PRAGMA max_page_count = 20")
        rows = (row(f"{number}.wav") for number in range(10_000))
        with pytest.raises(OutputError, match="make room"):
            any(map(ledger.put, rows))
        assert ledger.find("caption", "/sounds/0.wav")


def test_one_run_at_a_time(path):
    with alone(path), pytest.raises(DataError, match="another auricle"), alone(path):
        pass
    with alone(path):
        pass
    (path.parent / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), alone(path.parent / "file" / NAME):
        pass
