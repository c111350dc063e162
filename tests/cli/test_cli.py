"""The program as a process: help, pipes, terminals, signals; models and imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from tests.helpers.paths import GOLDEN


def test_help_is_instant_and_version_is_told():
    code = (
        "import sys, time; began = time.process_time(); from auricle.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(time.process_time() - began)\n"
        "heavy = {'torch', 'numpy', 'transformers', 'rich', 'soundfile'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    for arguments in (["--help"], ["caption", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert float(done.stdout.splitlines()[-1]) < 0.5
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("auricle 0.")
    assert "the model's own" in " ".join(done.stdout.split())


def test_nothing_on_stderr_in_a_pipe(program, write_tone):
    process = program("caption", write_tone("소리.wav"), env={**os.environ, "LC_ALL": "C"})
    out, err = process.communicate()
    assert process.returncode == 0
    assert out.endswith("소리.wav\ta tone of 1 s, 삐\n")
    assert err == "a library that prints\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_progress_is_drawn_on_a_terminal_and_not_among_the_captions(program, write_tone):
    import pty

    paths = [write_tone(f"{i}.wav") for i in range(3)]
    terminal, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    process = program("caption", *paths, pause_s=0.2, stderr=end, env=environment)
    os.close(end)
    out, _ = process.communicate()
    drawn = os.read(terminal, 1 << 16).decode()
    os.close(terminal)
    assert process.returncode == 0
    assert out == "".join(f"{path}\ta tone of 1 s, 삐\n" for path in paths)
    assert "2/3" in drawn


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_is_finished(program, write_tone, tmp_path, number):
    paths = [write_tone(f"{i}.wav") for i in range(3)]
    output = tmp_path / "out.json"
    process = program("caption", *paths, "--format", "json", "--output", output, pause_s=30)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (output.exists() and "0.wav" in output.read_text()):
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert [record["audio"] for record in json.loads(output.read_text())] == [str(paths[0])]


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_a_kill_keeps_what_is_finished(program, write_tone, tmp_path):
    paths = [write_tone(f"{i}.wav") for i in range(3)]
    output = tmp_path / "out.jsonl"
    output.write_text("earlier\n" * 1000)
    options = ["--format", "jsonl", "--output", output, "--overwrite"]
    process = program("caption", *paths, *options, pause_s=30)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and "0.wav" not in output.read_text(encoding="utf-8"):
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert json.loads(output.read_text(encoding="utf-8"))["audio"] == str(paths[0])


def test_a_reader_that_leaves_ends_it_quietly(program, write_tone):
    paths = [write_tone(f"{i}.wav") for i in range(3)]
    process = program("caption", *paths, pause_s=0.3)
    assert process.stdout.readline().startswith(str(paths[0]))
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == "a library that prints\n"
    process.stderr.close()


def test_import_refuses_what_is_not_a_checkpoint(tmp_path):
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(app, ["import", str(tmp_path / "empty"), str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.stderr.startswith("auricle: error: ")
    assert not (tmp_path / "out").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    result = CliRunner().invoke(app, ["import", str(tmp_path / "empty"), str(tmp_path / "full")])
    assert (result.exit_code, "not empty" in result.stderr) == (2, True)


def test_models_are_listed():
    result = CliRunner().invoke(app, ["models", "list"])
    assert result.exit_code == 0
    assert "clotho\t" in result.stdout


def test_unknown_models_are_not_fetched():
    result = CliRunner().invoke(app, ["models", "fetch", "nonsense"])
    assert result.exit_code == 2
    assert result.stderr.startswith("auricle: error: nonsense: no such model")


def test_a_published_checkpoint_becomes_a_model_folder(tmp_path):
    result = CliRunner().invoke(app, ["import", str(GOLDEN), str(tmp_path / "out")])
    assert result.exit_code == 0, result.stderr
    assert {"config.json", "model.safetensors"} <= {p.name for p in (tmp_path / "out").iterdir()}
    assert "tokenizer" in result.stderr  # the golden checkpoint has none, and the user is told
