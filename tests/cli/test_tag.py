"""`auricle tag` around a stub captioner: records, recordings, dry runs, undo, tables, errors."""

from __future__ import annotations

import csv
import json

import pytest


@pytest.fixture
def tag(run, tmp_path):
    return lambda *arguments: run("tag", *arguments, "--journal", tmp_path / "undo")


@pytest.fixture
def records(tmp_path):
    def write(*rows: tuple[object, str, float]):
        path = tmp_path / "captions.jsonl"
        lines = [
            json.dumps({"audio": str(audio), "caption": caption, "confidence": confidence})
            for audio, caption, confidence in rows
        ]
        path.write_text("\n".join(lines))
        return path

    return write


def test_records_are_written_and_undone(tag, records, write_tone):
    one, two = write_tone("one.wav"), write_tone("two.flac")
    before = one.read_bytes(), two.read_bytes()
    path = records((one, "a dog barks", 0.7), (two, "a cat meows", 0.6))
    result = tag(path)
    assert (result.exit_code, result.stdout) == (0, f"{one}\ttagged\n{two}\ttagged\n")
    assert "note: 2 tagged" in result.stderr
    assert b"a dog barks" in one.read_bytes()
    assert tag(path).stdout == f"{one}\tunchanged\n{two}\tunchanged\n"
    assert "a library" not in result.stderr  # no model is loaded for records
    result = tag("--undo", path)
    assert (result.exit_code, result.stdout) == (0, f"{one}\trestored\n{two}\trestored\n")
    assert (one.read_bytes(), two.read_bytes()) == before


def test_recordings_are_captioned_and_tagged(tag, write_tone, tmp_path):
    one = write_tone("sounds/one.wav")
    result = tag(tmp_path / "sounds")
    assert (result.exit_code, result.stdout) == (0, f"{one}\ttagged\n")
    assert "a tone of 1 s, 삐".encode() in one.read_bytes()
    assert tag("--undo", tmp_path / "sounds").stdout == f"{one}\trestored\n"
    assert tag("--undo", tmp_path / "sounds").stdout == f"{one}\tnever tagged\n"


def test_a_dry_run_says_what_would_change_and_writes_nothing(tag, records, write_tone, tmp_path):
    one = write_tone("one.wav")
    before = one.read_bytes()
    path = records((one, "a dog barks", 0.7))
    result = tag(path, "--dry-run", "--field", "comment")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"{one}\tINFO ICMT\t -> a dog barks"
    assert f"{one}\tiXML AURICLE/CONFIDENCE\t -> 0.70" in lines
    assert not any("bext" in line for line in lines)
    assert one.read_bytes() == before
    assert not (tmp_path / "undo").exists()
    tag(records((one, "by hand", 0.7)))
    forget = one.read_bytes().replace(b"<CAPTION>by hand<", b"<CAPTION>by hens<")
    one.write_bytes(forget)
    result = tag(records((one, "a dog barks", 0.7)), "--dry-run")
    assert f"{one}\tbext Description\tby hand -> (kept)" in result.stdout


def test_failures_are_named_and_the_rest_is_done(tag, records, write_tone, tmp_path):
    one, two = write_tone("one.wav"), write_tone("two.wav")
    bad, locked = tmp_path / "bad.wav", write_tone("locked.wav")
    bad.write_bytes(one.read_bytes()[:-99])
    locked.chmod(0o444)
    rows = [(path, "a dog barks", 0.7) for path in (one, "gone.wav", bad, locked, two)]
    result = tag(records(*rows))
    assert result.exit_code == 1
    assert result.stdout == f"{one}\ttagged\n{two}\ttagged\n"
    errors = [line for line in result.stderr.splitlines() if line.startswith("auricle: error: ")]
    for line, name in zip(errors, ("gone.wav", bad, locked), strict=True):
        assert line.startswith(f"auricle: error: {name}: ")
        assert line.count(str(name)) == 1
    assert "2 tagged, 3 failed" in result.stderr


def test_captions_that_are_not_sure_enough_are_left_out(tag, records, write_tone):
    one, two = write_tone("one.wav"), write_tone("two.wav")
    path = records((one, "a dog barks", 0.7), (two, "a cat meows", 0.4))
    result = tag(path, "--min-confidence", "0.5")
    assert (result.exit_code, result.stdout) == (0, f"{one}\ttagged\n")
    assert "1 without a caption that is sure enough" in result.stderr
    two_says_nothing = records((two, "no recognisable sound", 0.9), (one, " ", 0.9))
    assert tag(two_says_nothing).stdout == ""


def test_a_table_leaves_the_recordings_as_they_are(tag, records, write_tone, tmp_path):
    one = write_tone("one.wav")
    before = one.read_bytes()
    path, table = records((one, "a dog barks", 0.7)), tmp_path / "library.csv"
    result = tag(path, "--csv", table)
    assert (result.exit_code, result.stdout) == (0, "")
    (row,) = csv.DictReader(table.open(newline=""))
    assert (row["FileName"], row["CatID"]) == ("one.wav", "ANMLDog")
    assert tag(path, "--csv", table).exit_code == 2
    assert tag(path, "--csv", table, "--overwrite", "--csv-style", "bwfmetaedit").exit_code == 0
    (row,) = csv.DictReader(table.open(newline=""))
    assert row["ICMT"] == "a dog barks"
    assert one.read_bytes() == before


def test_wrong_use(tag, records, write_tone, tmp_path):
    one = write_tone("one.wav")
    before = one.read_bytes()
    path = records((one, "a dog barks", 0.7))
    assert tag(path, "--undo", "--dry-run").exit_code == 2
    path.write_text(path.read_text() + "\nno json")
    result = tag(path)
    assert (result.exit_code, one.read_bytes()) == (2, before)
    assert f"{path}:2: " in result.stderr
    result = tag("--undo", one, "--model", "tiny", "--overwrite")
    assert "--undo does not use --overwrite, --model" in result.stderr


def test_standard_input_and_addresses_are_no_files(tag):
    result = tag("https://example.org/a.wav")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "tags are written into files alone" in result.stderr
