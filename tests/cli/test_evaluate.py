"""`auricle evaluate` and `auricle compare`: what they print of others' names, unused options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from auricle.data.clip import Clip
from auricle.data.manifest import write_manifest

HOSTILE = "\x1b[31m\x9b1m\u202e"


@pytest.fixture
def files(tmp_path, monkeypatch, write_tone):
    """Two files of captions and their references, all with names that a terminal would obey."""
    monkeypatch.chdir(tmp_path)
    names = [f"{number}{HOSTILE}.wav" for number in range(3)]
    clips = [
        Clip(write_tone(name, 1.0), (f"a {HOSTILE} dog", "rain"), name, "test") for name in names
    ]
    write_manifest(Path(f"data{HOSTILE}.jsonl"), clips)
    for said in ("a dog", "wind"):
        rows = [
            json.dumps({"audio": str(clip.audio), "caption": f"{said} {HOSTILE}"}) for clip in clips
        ]
        Path(f"{said}{HOSTILE}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return [f"a dog{HOSTILE}.jsonl", f"wind{HOSTILE}.jsonl", f"data{HOSTILE}.jsonl"]


@pytest.mark.parametrize("format", ["table", "json", "markdown"])
def test_what_a_terminal_would_obey_is_escaped(files, format):
    first, second, data = files
    told = ["--references", data, "--metrics", "bleu,rouge-l", "--format", format]
    for command in (["evaluate", first], ["compare", first, second]):
        result = CliRunner().invoke(app, [*command, *told])
        assert result.exit_code == 0, result.output
        assert not set("\x1b\x9b\u202e") & set(result.output)
        if format == "json":
            assert first in json.loads(result.stdout).values()


def test_options_that_are_not_used_are_named(files):
    first, _, data = files
    told = ["--references", data, "--metrics", "bleu"]
    greedy = ["--decode", "greedy", "--candidates", "5", "--seed", "1"]
    of_a_model = CliRunner().invoke(app, ["evaluate", "tiny", *told, *greedy])
    assert (
        "greedy decoding does not use --candidates\n" in of_a_model.stderr
    )  # intervals use --seed
    of_a_file = CliRunner().invoke(app, ["evaluate", first, *told, *greedy])
    assert "a file of captions does not use --decode, --candidates\n" in of_a_file.stderr
