"""`auricle mixup` from captions to rendered sounds: files, streams and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from auricle.cli.mixup import app
from auricle.data.clip import Clip
from auricle.data.manifest import read_manifest, write_manifest
from auricle.mixup.answers import read_rows
from auricle.text import fluency
from tests.helpers.mixup_server import MixupServer

CAPTIONS = (
    "A dog barks",
    "Rain falls on a roof",
    "A train passes by",
    "An engine idles",
    "A bell rings",
)


@pytest.fixture
def run() -> Callable[..., object]:
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def manifest(tmp_path: Path, write_tone: Callable[..., Path]) -> Path:
    clips = [
        Clip(write_tone(f"{n}.wav", 1.0 + n / 4), (text,), str(n), "train", licence="CC0")
        for n, text in enumerate(CAPTIONS)
    ]
    write_manifest(tmp_path / "manifest.jsonl", clips)
    return tmp_path / "manifest.jsonl"


def test_without_a_model_from_captions_to_sounds(run, manifest, tmp_path):
    mixups, kept, out = (tmp_path / name for name in ("mixups.jsonl", "kept.jsonl", "out"))
    result = run("generate", manifest, "-o", mixups, "-n", 8, "--provider", "local")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[-1] == f"auricle: note: {mixups}: 8 mix-ups, 8 of them new"
    result = run("filter", mixups, "-o", kept, "--fluency", "none")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == (
        f"auricle: note: {kept}: 8 mix-ups, the others in {tmp_path / 'kept.rejected.jsonl'}\n"
    )
    assert "8 answers; in " in result.stdout
    assert "100.0 %" in result.stdout
    result = run("render", kept, "-o", out, "--preview", 2, "--seed", 1)
    assert result.exit_code == 0, result.stderr
    assert f"{out / 'manifest.jsonl'}: 8 mix-ups" in result.stderr
    assert f"{out / 'preview.html'}: 2 to listen to" in result.stderr
    assert all(clip.audio.is_file() for clip in read_manifest(out / "manifest.jsonl"))
    again = run("render", kept, "-o", out, "--seed", 1)
    assert "8 mix-ups, 8 of them there already" in again.stderr


def test_a_manifest_that_mixes_on_the_fly(run, manifest, tmp_path):
    mixups, kept, out = (tmp_path / name for name in ("mixups.jsonl", "kept.jsonl", "out"))
    run("generate", manifest, "-o", mixups, "-n", 4, "--provider", "local")
    run("filter", mixups, "-o", kept, "--fluency", "none")
    result = run("render", kept, "-o", out, "--on-the-fly", "--preview", 1)
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["manifest.jsonl", "preview.html"]
    assert all(clip.mix for clip in read_manifest(out / "manifest.jsonl"))


def test_a_model_is_asked_what_is_missing_at_a_known_price(run, manifest, tmp_path, monkeypatch):
    pytest.importorskip("openai", reason="needs openai: pip install 'auricle[mixup]'")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    out = tmp_path / "mixups.jsonl"
    with MixupServer(key="sk-secret") as server:
        command = ["generate", manifest, "-o", out, "--model", "m", "--base-url", server.base_url]
        result = run(*command, "-n", 3)
        assert result.exit_code == 0, result.stderr
        result = run(*command, "-n", 6, "--price", 10, 20)
        assert result.exit_code == 0, result.stderr
        assert sum(server.asked.values()) == 6
    assert [row.pair for row in read_rows(out)] == list(range(6))
    lines = result.stderr.splitlines()
    assert lines[0].startswith("auricle: note: 3 to ask for: about ")
    assert "(costs 0.00" in lines[0]
    assert lines[-1] == (
        f"auricle: note: {out}: 6 mix-ups, 3 of them new, 180 tokens (costs 0.0024)"
    )
    assert "sk-secret" not in result.stderr + out.read_text()


def test_pairs_that_failed_are_said_and_asked_again(run, manifest, tmp_path, monkeypatch):
    pytest.importorskip("openai", reason="needs openai: pip install 'auricle[mixup]'")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    out = tmp_path / "mixups.jsonl"
    with MixupServer(faults=0.4, kinds=("refuse",), seed=3) as server:
        command = ["generate", manifest, "-o", out, "--model", "m", "--base-url", server.base_url]
        result = run(*command, "-n", 8, "--concurrency", 1)
        failed = server.met["refuse"]
        assert 0 < failed < 8
        assert result.exit_code == 1
        assert f": {failed}" in result.stderr
        assert "the same command asks for those again" in result.stderr
        server.faults = 0
        assert run(*command, "-n", 8).exit_code == 0
    assert [row.pair for row in read_rows(out)] == list(range(8))


def test_a_batch_is_written_and_read(run, manifest, tmp_path):
    out, results = tmp_path / "mixups.jsonl", tmp_path / "results.jsonl"
    command = ["generate", manifest, "-o", out, "--model", "m", "-n", 3]
    result = run(*command, "--batch")
    requests = tmp_path / "mixups.requests.jsonl"
    assert f"{requests}: 3 requests" in result.stderr
    with results.open("w") as file:
        for line in requests.read_text().splitlines()[:2]:
            message = {"role": "assistant", "content": "A dog barks while rain falls"}
            body = {"choices": [{"message": message}]}
            answer = {"status_code": 200, "body": body}
            row = {"custom_id": json.loads(line)["custom_id"], "response": answer, "error": None}
            file.write(json.dumps(row) + "\n")
    result = run(*command, "--results", results, "--batch")
    assert result.exit_code == 0, result.stderr
    assert f"{results}: 2 new mix-ups, 1 still to come" in result.stderr
    assert f"{requests}: 1 requests" in result.stderr
    assert len(list(read_rows(out))) == 2


def test_what_is_rejected_is_shown(run, manifest, tmp_path, monkeypatch):
    class Detector:
        name, threshold = "of these tests", 0.5

        def error(self, texts):
            return np.array([0.9 if "idles" in text else 0.4 for text in texts])

    asked = []
    monkeypatch.setattr(fluency, "load_detector", lambda name: asked.append(name) or Detector())
    mixups, kept = tmp_path / "mixups.jsonl", tmp_path / "kept.jsonl"
    run("generate", manifest, "-o", mixups, "-n", 8, "--provider", "local")
    rows = [json.loads(line) for line in mixups.read_text().splitlines()]
    rows[0]["answer"] = "I'm sorry,\nI cannot."
    rows[1]["answer"] = "[bold] an engine | idles"
    rows[2]["answer"] = rows[2]["captions"][0]
    rows[3]["answer"] = "\x1b[2J\x07 Ducks quack in a pond"
    mixups.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = run("filter", mixups, "-o", kept, "--fluency", "some-detector")
    assert asked == ["some-detector"]
    for text in (
        "refusal",
        "I'm sorry,\\nI cannot.",
        "broken text",
        "[bold] an engine | idles",
        "copy of one caption",
        r"\x1b[2J\x07 Ducks quack",
        "disfluent: of these tests, over 0.5",
    ):
        assert text in result.stdout
    assert "\x1b[2J" not in result.stdout
    listed = (tmp_path / "kept.rejected.jsonl").read_text().splitlines()
    assert len(listed) + len(kept.read_text().splitlines()) == 8
    result = run("filter", mixups, "-o", kept, "--threshold", 0.3)
    assert asked[-1] == "auricle"
    assert kept.read_text() == ""
    assert "over 0.3" in result.stdout


def test_what_cannot_be_mixed_is_named(run, manifest, tmp_path):
    mixups, kept, out = (tmp_path / name for name in ("mixups.jsonl", "kept.jsonl", "out"))
    run("generate", manifest, "-o", mixups, "-n", 8, "--provider", "local")
    run("filter", mixups, "-o", kept, "--fluency", "none")
    (tmp_path / "0.wav").unlink()
    result = run("render", kept, "-o", out)
    assert result.exit_code == 1
    skipped = [line for line in result.stderr.splitlines() if line.startswith("auricle: skipped: ")]
    assert 0 < len(skipped) < 8
    assert all("0.wav" in line for line in skipped)
    assert len(list(read_manifest(out / "manifest.jsonl"))) == 8 - len(skipped)


def test_the_published_set(run, manifest, tmp_path):
    entry = {
        "prompt": "p",
        "selected_pair": [0, 1],
        "audio_files": ["0.wav", "1.wav"],
        "true_captions": list(CAPTIONS[:2]),
        "chatgpt_mixups": ["A dog barks while rain falls on a roof"],
    }
    gone = {**entry, "audio_files": ["0.wav", "elsewhere.wav"]}
    published = tmp_path / "published.json"
    published.write_text(json.dumps({"dataset": [entry, gone]}))
    out = tmp_path / "mixups.jsonl"
    result = run("import", published, "--manifest", manifest, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == [
        f"auricle: note: {out}: 1 mix-ups",
        "auricle: note: left out, recording not in the manifest: 1",
        f"auricle: note: 1 recordings are not in {manifest}: elsewhere.wav",
    ]


def test_errors_of_use(run, manifest, tmp_path):
    out = tmp_path / "mixups.jsonl"
    for arguments in (
        ["generate", manifest, "-o", out],  # no model
        ["generate", manifest, "-o", out, "--provider", "local", "--batch"],
        ["generate", tmp_path / "gone.jsonl", "-o", out, "--provider", "local"],
        ["filter", tmp_path / "gone.jsonl", "-o", out, "--fluency", "none"],
        ["render", tmp_path / "gone.jsonl", "-o", tmp_path / "out"],
        ["render", manifest, "-o", tmp_path / "out"],  # nothing to mix in it
        ["render", manifest, "-o", tmp_path / "out", "--rate", 7],
    ):
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--level-range", "inf"), ("--level-range", 1e300), ("--max-duration", "inf")],
)
def test_a_level_or_length_beyond_any_sound_is_wrong_use(run, manifest, tmp_path, option, value):
    result = run("render", manifest, "-o", tmp_path / "out", option, value)
    assert result.exit_code == 2
    assert option in result.stderr


def test_more_requests_at_a_time_than_a_machine_has_connections_are_wrong_use(run, manifest):
    result = run("generate", manifest, "-o", "x.jsonl", "--model", "x", "--concurrency", 10**23)
    assert result.exit_code == 2
    assert "--concurrency" in result.stderr
