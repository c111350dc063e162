"""`auricle plot`: files of both kinds, and one line for what cannot be drawn."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from auricle.writers import to_json
from tests.helpers.paths import EXAMPLES
from tests.helpers.skips import skipped_if_missing
from tests.helpers.timed import timed

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def records(tmp_path):
    def write(*captions):
        path = tmp_path / "r.jsonl"
        path.write_text("".join(f"{to_json(one)}\n" for one in captions), encoding="utf-8")
        return path

    return write


def test_without_records_the_recording_is_captioned(run, write_tone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("plot", write_tone("sounds/tone.wav", 5.0))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith("auricle: written: tone.png\n")
    assert (tmp_path / "tone.png").read_bytes().startswith(PNG)


def test_what_is_found_in_the_recording_is_drawn(run, write_tone, tmp_path):
    result = run("plot", write_tone("tone.wav", 5.0), "-o", tmp_path / "p.html")
    assert result.exit_code == 0
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert text.count("<li>") == 2
    assert "<span>a tone of 2 s, 삐</span>" in text


def test_records_are_drawn_without_a_model(run, write_tone, records, tmp_path):
    sound, page = write_tone("tone.wav", 5.0), tmp_path / "pages" / "p.html"
    path = records(timed(1, 2, "하나", audio=str(sound)), timed(2, 4, "two", audio=str(sound)))
    result = run("plot", sound, "--timeline", path, "-o", page)
    assert result.exit_code == 0
    assert result.stderr == f"auricle: written: {page}\n"
    text = page.read_text(encoding="utf-8")
    assert "<span>하나</span>" in text
    assert "0:05.0 · 2 captions · tiny" in text


def test_records_made_by_hand_are_enough(run, write_tone, tmp_path):
    sound, path = write_tone("tone.wav", 5.0), tmp_path / "r.jsonl"
    row = {"audio": "tone.wav", "start_s": 1, "end_s": 2.5, "caption": "a tone", "mine": 1}
    path.write_text(json.dumps(row))
    result = run("plot", sound, "--timeline", path, "-o", tmp_path / "p.png")
    assert result.exit_code == 0


@pytest.mark.parametrize("suffix", ["png", "html"])
def test_what_is_there_is_replaced_on_request_alone(run, write_tone, records, tmp_path, suffix):
    sound, output = write_tone("tone.wav"), tmp_path / f"p.{suffix}"
    output.write_text("mine")
    given = ("plot", sound, "--timeline", records(timed(0, 1, audio="tone.wav")), "-o", output)
    result = run(*given)
    assert result.exit_code == 2
    assert "exists; name another file, or replace it with" in result.stderr
    assert output.read_text() == "mine"
    assert run(*given, "--overwrite").exit_code == 0
    assert output.stat().st_size > 1000


def test_outputs_of_other_kinds_are_refused(run, write_tone, tmp_path):
    sound = write_tone("tone.wav")
    for output, reason in {
        "p.pdf": "must end in .png or .html",
        "p": "must end in .png or .html",
    }.items():
        result = run("plot", sound, "-o", tmp_path / output)
        assert result.exit_code == 2
        assert reason in result.stderr
    (tmp_path / "folder.png").mkdir()
    assert "is a folder" in run("plot", sound, "-o", tmp_path / "folder.png").stderr


def test_faults_are_one_line_each(run, write_tone, records, tmp_path):
    sound, broken = write_tone("tone.wav", 2.0), tmp_path / "broken.wav"
    broken.write_text("no sound")
    output = tmp_path / "p.png"
    here = {"audio": str(sound)}
    cases = [
        ((broken,), "broken.wav: not "),
        ((tmp_path / "gone.wav",), "gone.wav: "),
        ((sound, "--timeline", records()), "no records in it"),
        ((sound, "--timeline", tmp_path / "gone.jsonl"), "gone.jsonl: no table that can be read"),
    ]
    for given, reason in cases:
        result = run("plot", *given, "-o", output)
        assert result.exit_code == 2, given
        (line,) = result.stderr.splitlines()
        assert line.startswith("auricle: error: ")
        assert reason in line
    for captions, reason in (
        ([timed(0, 1, audio="other.wav")], "no record of"),
        ([timed(0, 9, **here)], "lasts 2 s; give the records of this recording"),
        ([timed(1, 1, **here)], "r.jsonl:1: a caption from 1 to 1 s"),
        ([timed(0, 1, confidence=2.0, **here)], "r.jsonl:1: confidence 2; it must be from 0 to 1"),
    ):
        result = run("plot", sound, "--timeline", records(*captions), "-o", output)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert reason in line
    assert not output.exists()


def test_the_words_of_several_captions_are_refused(run, write_tone, records, tmp_path):
    sound = write_tone("tone.wav", 2.0)
    path = records(timed(0, 1, audio=str(sound)), timed(1, 2, audio=str(sound)))
    result = run("plot", sound, "--timeline", path, "--words", "-o", tmp_path / "p.png")
    assert result.exit_code == 2
    assert "the words of one caption are drawn, but there are 2" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_the_words_of_the_embedded_model(tmp_path):
    sound = str(EXAMPLES / "woman-speaking-then-applause.ogg")
    with skipped_if_missing():
        from auricle.fetch.yamnet_wheel import yamnet_weights

        yamnet_weights()
    for output in ("p.png", "p.html"):
        arguments = ["plot", sound, "--words", "-o", str(tmp_path / output)]
        assert CliRunner().invoke(app, arguments).exit_code == 0
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert 'alt="attention of each word over time"' in text
    assert ">clapping</span>" in text
