"""Options for subtitles on a command line, and the documents that they give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from auricle.cli.options import spread
from auricle.cli.subtitle_options import SubtitleChoices
from auricle.subtitles.documents import read_document
from tests.helpers.timed import timed

FILM = Path(__file__).parents[1] / "subtitles" / "film.srt"
CAPTIONS = [timed(130.0, 131.0, "a dog barks"), timed(2.0, 300.0, "Rain falls.")]
app = typer.Typer()


@app.command()
@spread
def write(choices: SubtitleChoices) -> None:
    document = choices.document(CAPTIONS, "srt", choices.dialogue())
    print(document)
    for note in document.notes:
        print(f"note: {note}")


def run(*options: str) -> str:
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_captions_are_written_as_they_are_without_a_choice() -> None:
    assert "00:00:02,000 --> 00:05:00,000\nRain falls.\n" in run()


def test_sdh_follows_the_preset_and_its_changes() -> None:
    assert "00:00:02,000 --> 00:00:05,000\n[rain falls]\n" in run("--profile", "sdh")
    assert "\nRAIN FALLS\n" in run("--profile", "sdh", "--preset", "bbc")
    changed = run(*"--profile sdh --case sentence --brackets round --cue-duration 2".split())
    assert "00:00:02,000 --> 00:00:04,000\n(Rain falls)\n" in changed
    assert "00:00:02,000 --> 00:00:09,000\n" in run("--profile", "sdh", "--full-length")


def test_dialogue_may_be_stripped_before_its_merge() -> None:
    merged = run("--speech", str(FILM))
    assert "[rain falls]" in merged
    assert "[PHONE RINGS]" in merged
    stripped = run("--speech", str(FILM), "--strip")
    assert "[PHONE RINGS]" not in stripped
    assert "cues of sounds removed" in stripped


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (f"--profile plain --speech {FILM}", "overlap"),
        ("--profile sdh --cue-duration 9", "cue_s"),
        ("--profile sdh --frame-rate 0", "frame_rate_hz"),
        ("--profile sdh --frame-rate nan", "frame_rate_hz"),
    ],
)
def test_choices_that_cannot_be_are_wrong_use(options: str, told: str) -> None:
    result = CliRunner().invoke(app, options.split())
    assert result.exit_code == 2
    assert told in result.output


def test_a_file_is_stripped_by_itself() -> None:
    choices = SubtitleChoices(strip=True)
    assert "[PHONE RINGS]" not in str(choices.stripped(FILM))
    assert str(choices.stripped(FILM, "vtt")).startswith("WEBVTT\n")
    assert choices.stripped(FILM).format == read_document(FILM).format


def test_subtitles_need_no_torch() -> None:
    program = (
        "import sys, auricle.subtitles.compose, auricle.subtitles.strip;"
        "sys.exit('torch' in sys.modules or 'pysubs2' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
