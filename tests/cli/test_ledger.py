"""`auricle ledger`: lists and exports."""

from __future__ import annotations

import csv
import io
import json

import pytest

from auricle.ledger import NAME


@pytest.fixture
def out(run, write_tone, tmp_path):
    """The folder of a run with one failure."""
    for name in ("s/=a.wav", "s/b.wav"):
        write_tone(name)
    (tmp_path / "s" / "c.wav").write_text("no sound", encoding="utf-8")
    assert run("caption", tmp_path / "s", "--output", f"{tmp_path}/out/").exit_code == 1
    return tmp_path / "out"


def test_counts_and_reasons(run, out, tmp_path):
    for given in (out, out / NAME):
        result = run("ledger", given)
        lines = result.stdout.splitlines()
        assert (result.exit_code, lines[:2]) == (0, ["caption\tdone\t2", "caption\tfailed\t1"])
        (failure,) = lines[2:]
        assert failure.startswith(f"{tmp_path}/s/c.wav\tnot ")
    done = run("ledger", out, "--state", "done").stdout
    assert done == "".join(
        f"{tmp_path}/s/{name}\ta tone of 1 s, 삐\n" for name in ("=a.wav", "b.wav")
    )


def test_exports_hold_everything(run, out, tmp_path):
    lines = run("ledger", out, "--format", "jsonl").stdout.splitlines()
    rows = list(map(json.loads, lines))
    assert [row["state"] for row in rows] == ["done", "done", "failed"]
    first = rows[0]
    assert first["recording"] == f"{tmp_path}/s/=a.wav"
    assert first["sidecars"] == [f"{out}/=a.wav.jsonl"]
    assert (first["model"], first["duration_s"], first["settings"]["seed"]) == ("tiny", 1.0, 0)
    assert rows[2]["reason"]
    table = run("ledger", out, "--format", "csv", "--state", "failed").stdout
    (failed,) = csv.DictReader(io.StringIO(table.removeprefix("\ufeff"), newline=""))
    assert list(failed) == list(first)
    assert (failed["recording"], failed["state"]) == (f"{tmp_path}/s/c.wav", "failed")


def test_there_is_no_ledger(run, write_tone, tmp_path):
    result = run("ledger", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path}/{NAME}: no such ledger" in result.stderr
    write_tone("a.wav")
    (tmp_path / NAME).write_text("a diary\n" * 1000)
    for command in (["ledger", tmp_path], ["caption", tmp_path, "--output", tmp_path]):
        result = run(*command)
        assert result.exit_code == 2
        assert f"auricle: error: {tmp_path}/{NAME}: no ledger, or damaged" in result.stderr
    assert (tmp_path / NAME).read_text().startswith("a diary")
