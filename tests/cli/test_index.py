"""`auricle index`, with a small random model."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from auricle.audio.isolated import Decoders
from auricle.cli import app
from auricle.cli.loading import ModelChoices
from auricle.search.place import MATRIX, NAME
from auricle.search.rows import Maker
from auricle.search.store import Index
from tests.helpers.models import captioner_of, make_bundle
from tests.search.conftest import write_noise

MODEL = make_bundle(0)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "index"


@pytest.fixture
def sounds(tmp_path):
    for number in range(3):
        write_noise(tmp_path / "sounds" / f"{number}.wav", number)
    return tmp_path / "sounds"


@pytest.fixture
def run(monkeypatch, place):
    """Run `auricle index`; ``digest``: of its model."""
    digest = ["d1"]
    monkeypatch.setattr(ModelChoices, "load", lambda self: captioner_of(MODEL))
    monkeypatch.setattr("auricle.fetch.identity.model_digest", lambda name: digest[0])

    def start(*arguments: object, model: str = "d1"):
        digest[0] = model
        return CliRunner().invoke(app, ["index", *map(str, arguments), "--index", str(place)])

    return start


def test_folders_are_indexed_and_brought_up_to_date(run, sounds, place):
    result = run(sounds)
    assert result.exit_code == 0, result.output
    assert f"3 new, 0 changed, 0 moved, 0 gone, 0 failed, 0 unchanged; index: {place}" in (
        result.stderr
    )
    assert result.stdout == ""
    write_noise(sounds / "3.wav", 3)
    (sounds / "0.wav").unlink()
    (sounds / "1.wav").rename(sounds / "one.wav")
    result = run()
    assert "1 new, 0 changed, 1 moved, 1 gone, 0 failed, 1 unchanged" in result.stderr
    with Index(place) as index:
        assert [one.audio.rpartition("/")[2] for one in index.sounds()] == [
            *("one.wav", "2.wav", "3.wav")
        ]
        assert len(index.vectors()[0]) == 3
    assert (place / MATRIX).exists()


def test_a_run_without_changes_leaves_the_matrix_and_tells_of_a_damaged_one(run, sounds, place):
    run(sounds)
    before = (place / MATRIX).stat()
    assert "damaged" not in run().stderr
    assert (place / MATRIX).stat().st_ino == before.st_ino
    content = (place / MATRIX).read_bytes()
    (place / MATRIX).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert f"{MATRIX}: damaged or of another index; made again from {NAME}" in run().stderr
    assert (place / MATRIX).read_bytes() == content


def test_nothing_to_hear_loads_no_model(run, sounds, monkeypatch):
    run(sounds)
    monkeypatch.setattr(ModelChoices, "load", lambda self: 1 / 0)
    assert run().exit_code == 0


def test_a_broken_file_is_named_and_listed(run, sounds):
    (sounds / "1.wav").write_bytes(b"no sound")
    result = run(sounds)
    assert result.exit_code == 1
    assert f"error: {sounds / '1.wav'}: " in result.stderr
    result = run()
    assert (result.exit_code, "1 failed before" in result.stderr) == (0, True)
    assert "--retry-failed" in result.stderr
    path, reason = run("--failed").stdout.rstrip("\n").split("\t")
    assert path == str(sounds / "1.wav")
    assert json.loads(run("--failed", "--format", "jsonl").stdout) == {
        "audio": path,
        "reason": reason,
    }
    assert run("--failed", sounds / "none").stdout == ""
    assert run("--retry-failed").exit_code == 1


def test_a_codec_that_crashes_loses_its_recording_alone(run, sounds, place, monkeypatch):
    take = Decoders.take

    def killed(self, name):
        process = take(self, name)
        if name.endswith("1.wav"):
            process._process.kill()
        return process

    monkeypatch.setattr(Decoders, "take", killed)
    result = run(sounds)
    assert result.exit_code == 1
    assert "1.wav: its decoder crashed" in result.stderr
    with Index(place) as index:
        assert [one.caption != "" for one in index.sounds()] == [True, True]


def test_another_model_is_refused_until_the_index_is_made_anew(run, sounds, place):
    run(sounds)
    result = run(model="d2")
    assert result.exit_code == 2
    assert "made by tiny, d1, and not by tiny, d2; make it anew with --rebuild" in result.stderr
    assert "3 new" in run("--rebuild", model="d2").stderr  # its folders are remembered
    with Index(place) as index:
        assert index.digest == "d2"


@pytest.mark.parametrize("content", [b"", b"no database, but long enough for one" * 50])
def test_a_damaged_index_is_made_anew(run, sounds, place, content):
    run(sounds)
    (place / NAME).write_bytes(content)
    if content:
        assert run().exit_code == 2
    assert "3 new" in run(sounds, "--rebuild").stderr


def test_two_indexers_at_once_are_refused_in_one_line(run, sounds, place):
    run(sounds)
    with Index(place, Maker("tiny", "d1")):
        result = run()
    assert result.exit_code == 2
    assert "another auricle index works with it; wait for it to end" in result.stderr


def test_wrong_use_is_one_line(run, tmp_path, sounds):
    assert "no folder is indexed yet" in run().stderr
    assert "no such folder" in run(tmp_path / "none").stderr
    result = run("--failed", "--duplicates")
    assert result.exit_code == 2
    assert "give one of --failed and --duplicates" in result.stderr
    assert "name the folders to forget" in run("--forget").stderr
    run(sounds)
    assert "nothing of it is in the index" in run("--forget", tmp_path / "none").stderr


def test_a_missing_folder_keeps_its_sounds_until_it_is_forgotten(run, sounds, place):
    run(sounds)
    shutil.rmtree(sounds)
    for arguments in ([], [sounds]):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert "its 3 indexed files are kept; --forget erases them" in result.stderr
    result = run("--forget", sounds)
    assert "3 files are forgotten" in result.stderr
    with Index(place) as index:
        assert [*index.sounds()] == []
        assert index.folders() == []
        assert len(index.vectors()[0]) == 0


def test_copies_are_listed_in_groups(run, sounds):
    write_noise(sounds / "long.wav", 9, 2.0)
    shutil.copy(sounds / "long.wav", sounds / "same.wav")
    run(sounds)
    result = run("--duplicates")
    assert result.stdout.splitlines() == [
        f"{sounds / 'long.wav'}\tfirst\t",
        f"{sounds / 'same.wav'}\tsame content\t0.0",
    ]
    first, second = map(json.loads, run("--duplicates", "--format", "jsonl").stdout.splitlines())
    assert first == {
        "group": 1,
        "audio": str(sounds / "long.wav"),
        "kind": "first",
        "difference": None,
    }
    assert second["kind"] == "same content"


def test_without_an_index_the_lists_are_one_line(run):
    for option in ("--failed", "--duplicates"):
        result = run(option)
        assert result.exit_code == 2
        assert "no index there; make one" in result.stderr


def test_a_map_is_a_page_in_the_index(run, place, sounds):
    assert run(sounds).exit_code == 0
    result = run("--near", 2)
    assert (result.exit_code, result.stdout) == (0, f"{place / 'map.html'}\n")
    page = (place / "map.html").read_text(encoding="utf-8")
    assert all(f'"{number}.wav"' in page for number in range(3))
    assert "give one of" in " ".join(run("--near", 2, "--failed").stderr.replace("│", " ").split())
