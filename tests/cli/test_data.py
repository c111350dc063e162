"""`auricle data` from end to end on small data sets: files, streams and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auricle.cli.data import app
from auricle.data.clip import Clip
from auricle.data.data_card import NO_LICENCE, survey, tables
from auricle.data.manifest import read_manifest, write_manifest


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def manifest(tmp_path, write_tone) -> Path:
    """Two splits, five clips, of which one is a leak and one cannot be read."""
    sounds = [write_tone(f"{n}.wav", 1.0 + n / 4) for n in range(4)]
    rows = [
        Clip(sounds[0], ("A dog barks", "Dogs bark"), "a", "train", licence="CC0", source="x:1"),
        Clip(sounds[1], ("A cat meows loudly",), "b", "train", licence="CC0"),
        Clip(sounds[2], ("A bird sings",), "c", "test", source="x:1"),
        Clip(sounds[3], ("[noise]", "A | in a cell"), "d", "test", start_s=0.25, end_s=1.25),
        Clip(tmp_path / "gone.wav", ("Nothing there",), "e", "test"),
    ]
    write_manifest(tmp_path / "m.jsonl", rows)
    return tmp_path / "m.jsonl"


def test_check_as_table_and_exit_code(run, manifest):
    result = run("check", manifest)
    assert result.exit_code == 1
    assert result.stderr == ""
    lines = " ".join(result.stdout.split())
    assert "5 clips, 6 captions" not in lines
    assert "5 clips, 7 captions" in lines
    for kind in ("leak !", "unreadable audio !", "broken caption", "! the check fails"):
        assert kind in lines


def test_check_as_json(run, manifest):
    result = run("check", manifest, "--json", "--workers", 1)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["counts"] == {"leak": 1, "unreadable audio": 1, "broken caption": 2}
    assert report["findings"][0] == {
        "kind": "leak",
        "manifest": str(manifest),
        "line": 1,
        "id": "a",
        "split": "train",
        "detail": "the same source, x:1, as c in test",
        "caption": None,
    }


def test_drop_gives_a_manifest_that_passes(run, manifest, tmp_path):
    out = tmp_path / "clean.jsonl"
    result = run("check", manifest, "--drop", out)
    assert result.exit_code == 1
    assert "2 clips kept; 3 clips and 0 captions of the others dropped" in result.stderr
    assert [clip.id for clip in read_manifest(out)] == ["b", "c"]
    result = run("check", out)
    assert (result.exit_code, "none" in result.stdout) == (0, True)
    assert run("check", manifest, "--drop", manifest).exit_code == 2


def test_errors_of_use(run, tmp_path):
    result = run("check", tmp_path / "gone.jsonl")
    assert result.exit_code == 2
    assert result.stderr.startswith("auricle: error: ")
    assert len(result.stderr.splitlines()) == 1
    assert run("clotho", tmp_path, "-o", tmp_path / "m.jsonl").exit_code == 2
    assert not (tmp_path / "m.jsonl").exists()


def test_folder_writes_a_manifest_and_what_is_not_in_it(run, write_tone, tmp_path):
    write_tone("own/a.wav")
    table = tmp_path / "own" / "captions.csv"
    table.write_text("audio,caption\na.wav,A dog barks\nb.wav,A cat meows\n")
    out, listed = tmp_path / "m.jsonl", tmp_path / "m.left_out.jsonl"
    result = run("folder", tmp_path / "own", "-o", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        f"auricle: note: {out}: 1 clips with 1 captions",
        f"auricle: note: left out, no recording: 1, listed in {listed}",
    ]
    assert json.loads(out.read_text())["audio"] == "own/a.wav"
    assert json.loads(listed.read_text())["where"] == f"{table}:3"
    write_tone("own/b.wav")
    assert run("folder", tmp_path / "own", "-o", out).exit_code == 0
    assert not listed.exists()


def test_audiocaps(run, write_tone, tmp_path):
    write_tone("audio/abcdefghijk_30.wav")
    table = tmp_path / "train.csv"
    table.write_text("audiocap_id,youtube_id,start_time,caption\n1,abcdefghijk,30,A dog barks\n")
    out = tmp_path / "m.jsonl"
    assert run("audiocaps", table, "--audio", tmp_path / "audio", "-o", out).exit_code == 0
    assert next(read_manifest(out)).captions == ("A dog barks",)


def test_card_counts(manifest):
    train, test = survey([manifest]).values()
    assert (train.clips, train.unreadable, train.durations_s) == (2, 0, [1.0, 1.25])
    assert (test.clips, test.unreadable, test.durations_s) == (3, 1, [1.5, 1.0])
    assert train.caption_words == [3, 2, 4]
    assert len(train.vocabulary) == 8
    assert train.licences == {"CC0": 2}
    assert test.licences == {NO_LICENCE: 3}
    audio, captions, vocabulary, licences = tables({"train": train, "test": test})
    assert audio.rows[0] == ("train", "2", "0", "0.00", "1.0", "1.1", "1.2")
    assert captions.rows[-1][:4] == ("all", "7", "1 to 2", "7")
    assert vocabulary.rows[0][-1] == "0"
    assert vocabulary.rows[1][-1] == "7"  # bird sings noise in cell nothing there
    assert licences.rows == [(NO_LICENCE, "0", "3", "3", "0.00"), ("CC0", "2", "0", "2", "0.00")]


def test_card_on_the_terminal_and_as_files(run, manifest, tmp_path):
    result = run("card", manifest, "-o", tmp_path / "card")
    assert result.exit_code == 0
    for title in ("Audio", "Captions", "Vocabulary", "Licences of the audio"):
        assert f"\n{title}" in "\n" + result.stdout
    text = (tmp_path / "card" / "card.md").read_text(encoding="utf-8")
    assert "| train | 2 | 0 |" in text
    for name in ("durations", "caption_lengths", "vocabulary", "licences"):
        assert f"({name}.png)" in text
        picture = (tmp_path / "card" / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 5000


def test_card_of_an_empty_manifest(run, tmp_path):
    (tmp_path / "m.jsonl").write_text("")
    assert run("card", tmp_path / "m.jsonl", "-o", tmp_path).exit_code == 0
