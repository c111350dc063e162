"""The command line around a stub captioner: streams, formats, options and exit codes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from auricle.audio.load import AudioInput, load_audio
from auricle.cli import app
from auricle.errors import AudioError, ModelError
from auricle.records import Candidate, Caption
from tests.helpers.paths import GOLDEN, ROOT

# Installs the stub and runs the program, in a process of its own.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
sys.path.insert(0, {root!r})
from tests.cli.test_cli import install_stub
install_stub(sys.modules.__setitem__, pause_s={pause_s})
from auricle.cli import main
main()
"""


class StubCaptioner:
    settings: dict = {}  # noqa: RUF012  (what the last call was given)
    pause_s = 0.0
    precision, precision_reason = "bf16", "the stub likes it"

    @classmethod
    def from_pretrained(
        cls, name: str, device: str = "auto", precision: str = "float32"
    ) -> StubCaptioner:
        print("a library that prints")
        if name != "tiny":
            raise ModelError(f"{name}: no such model; there is only tiny")
        cls.settings = {"device": device, "precision": precision}
        return cls()

    def decoding(self, decode: str | None, **settings: object) -> SimpleNamespace:
        if settings["min_length"] == 40:
            raise ValueError("min_length=40: must be below max_length")
        type(self).settings |= {"decode": decode, **settings}
        return SimpleNamespace(options=SimpleNamespace(method=decode or "nucleus"))

    def speak(
        self, source: AudioInput, decoding: SimpleNamespace, *, on_note, allow_urls: bool
    ) -> Iterator[str]:
        assert decoding.options.method
        type(self).settings |= {"allow_urls": allow_urls}
        load_audio(source, 16_000, end_s=2.0)
        on_note(f"{source}: a note")
        yield from ("a tone,", " 삐")

    def stream(
        self,
        sources: Iterable[AudioInput],
        decoding: SimpleNamespace,
        *,
        batch_size: int,
        allow_urls: bool,
    ) -> Iterator[SimpleNamespace]:
        assert decoding.options.method
        type(self).settings |= {"batch_size": batch_size, "allow_urls": allow_urls}
        for source in sources:
            try:
                recording = load_audio(source, 16_000, end_s=2.0)
            except AudioError as error:
                heard = SimpleNamespace(note=None)
                yield SimpleNamespace(heard=heard, caption=None, error=error)
                continue
            end_s, longer = recording.end_s, recording.duration_s > recording.end_s
            note = f"{source}: captioned its first {end_s:.0f} s" if longer else None
            text = f"a tone of {end_s:.0f} s, 삐"
            candidate = Candidate(text, -1.0, 0.5, 0.05, True)
            caption = Caption(
                recording.name, 0.0, end_s, text, 0.05, (candidate,), "tiny", "nucleus", 0
            )
            yield SimpleNamespace(heard=SimpleNamespace(note=note), caption=caption, error=None)
            time.sleep(self.pause_s)


def install_stub(set_module: Callable[[str, object], None], pause_s: float = 0.0) -> None:
    StubCaptioner.pause_s = pause_s
    set_module("auricle.pipeline", SimpleNamespace(Captioner=StubCaptioner))


@pytest.fixture
def run(monkeypatch):
    install_stub(lambda name, module: monkeypatch.setitem(sys.modules, name, module))
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def program():
    """Start `auricle` with the stub as a process; ``pause_s`` is waited after each caption."""

    def start(*arguments: object, pause_s: float = 0.0, **options) -> subprocess.Popen:
        code = PROGRAM.format(root=str(ROOT), pause_s=pause_s)
        command = [sys.executable, "-c", code, *map(str, arguments)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen(command, encoding="utf-8", **options)

    return start


def test_files_and_folders_give_captions_alone_on_stdout(run, write_tone, tmp_path):
    one, two = write_tone("one.wav"), write_tone("소리/빗소리 two.flac")
    result = run("caption", one, tmp_path)
    assert result.exit_code == 0
    assert result.stdout == f"{one}\ta tone of 1 s, 삐\n{two}\ta tone of 1 s, 삐\n"
    assert result.stderr == "a library that prints\n"


def test_failures_are_named_and_the_rest_is_done(run, write_tone, tmp_path):
    good, bad = write_tone("sounds/good.wav"), tmp_path / "sounds" / "bad.wav"
    bad.write_text("no sound", encoding="utf-8")
    (tmp_path / "bare").mkdir()
    result = run("caption", "gone.wav", tmp_path / "bare", tmp_path / "sounds", good)
    assert result.exit_code == 1
    assert result.stdout == f"{good}\ta tone of 1 s, 삐\n"
    errors = [line for line in result.stderr.splitlines() if line.startswith("auricle: error: ")]
    assert len(errors) == 3
    for line, name in zip(errors, ("gone.wav", tmp_path / "bare", bad), strict=True):
        assert line.startswith(f"auricle: error: {name}: ")


def test_only_missing_files_fail_without_a_model(run):
    result = run("caption", "gone.wav")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a library" not in result.stderr


def test_a_long_recording_is_noted(run, write_tone):
    path = write_tone("long.wav", 5.0)
    result = run("caption", path)
    assert result.exit_code == 0
    assert result.stdout == f"{path}\ta tone of 2 s, 삐\n"
    assert f"auricle: note: {path}: captioned its first 2 s" in result.stderr


@pytest.mark.parametrize("to_file", [False, True])
def test_formats(run, write_tone, tmp_path, to_file):
    path = write_tone("one.wav")
    outputs = {}
    for format in ("text", "jsonl", "json", "csv"):
        options = ["--output", tmp_path / format] if to_file else []
        result = run("caption", path, "--format", format, *options)
        assert result.exit_code == 0
        if to_file:
            assert result.stdout == ""
        outputs[format] = (
            (tmp_path / format).read_text(encoding="utf-8") if to_file else result.stdout
        )
    record = json.loads(outputs["jsonl"])
    assert record["audio"] == str(path)
    assert record["candidates"][0]["text"] == "a tone of 1 s, 삐"
    assert json.loads(outputs["json"]) == [record]
    assert outputs["csv"] == 'file_name,caption_predicted\none.wav,"a tone of 1 s, 삐"\n'
    assert outputs["text"].count("\n") == 1


def test_the_table_has_a_row_for_every_input_in_order(run, write_tone, tmp_path):
    good, bad, long = write_tone("=1.wav"), tmp_path / "bad.wav", write_tone("long.wav", 5.0)
    bad.write_text("no sound", encoding="utf-8")
    output = tmp_path / "out.csv"
    result = run("caption", good, bad, "gone.wav", long, "--format", "table", "--output", output)
    assert result.exit_code == 1
    rows = list(csv.DictReader(output.open(encoding="utf-8-sig", newline="")))
    names = [str(good), str(bad), "gone.wav", str(long)]
    assert [row["path"] for row in rows] == names
    assert [row["status"] for row in rows] == ["ok", "failed", "failed", "partial"]
    assert rows[3]["end"] == "2.0"
    assert rows[2]["error"] == "no such file or folder; check the path"
    assert bad.name not in rows[1]["error"]
    nothing = run("caption", "gone.wav", "--format", "table")
    assert nothing.stdout.splitlines()[1].startswith("gone.wav,,,,,failed,no such file")


def test_csv_warns_once_of_names_that_are_not_unique(run, write_tone):
    paths = [write_tone(f"{folder}/{name}.wav") for folder in "xyz" for name in "abcde"]
    result = run("caption", *paths, "--format", "csv")
    (line,) = [line for line in result.stderr.splitlines() if "warning" in line]
    assert "a.wav (3 times), b.wav (3 times), c.wav (3 times) and 2 more" in line
    for more in (["--format", "table"], [paths[0], "--format", "csv"][1:]):
        assert "warning" not in run("caption", *paths[:5], *more).stderr


def test_standard_input_patterns_and_lists(run, program, write_tone, tmp_path):
    paths = [write_tone(f"s/{i}.wav") for i in range(2)]
    process = program("caption", "-", stdin=paths[0].open("rb"))
    assert process.communicate()[0] == "<stdin>\ta tone of 1 s, 삐\n"
    (tmp_path / "list").write_text(f"# two\n{paths[1]}\n{paths[0]}\n", encoding="utf-8")
    for argument, expected in ((tmp_path / "**/*.wav", paths), (f"@{tmp_path}/list", paths[::-1])):
        result = run("caption", argument)
        assert result.stdout == "".join(f"{path}\ta tone of 1 s, 삐\n" for path in expected)


def test_an_earlier_output_is_safe(run, write_tone, tmp_path):
    good, bad, output = write_tone("a.wav"), tmp_path / "bad.wav", tmp_path / "out.txt"
    bad.write_text("no sound", encoding="utf-8")
    output.write_text("earlier")
    refused = run("caption", good, "--output", output)
    assert (refused.exit_code, "--overwrite" in refused.stderr) == (2, True)
    assert "a library that prints" not in refused.stderr  # no model was loaded
    for arguments in ([bad], ["gone.wav"], [good, "--model", "nonsense"], [bad, "--stream"]):
        assert run("caption", *arguments, "--output", output, "--overwrite").exit_code
        assert output.read_text() == "earlier"
    for more in ([], ["--stream"]):
        assert run("caption", bad, good, "--output", output, "--overwrite", *more).exit_code == 1
        assert output.read_text(encoding="utf-8").startswith(f"{good}\ta tone")
        output.write_text("earlier")


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ("--decode beam --temperature 0.3 --top-k 5", "beam decoding: --temperature, --top-k"),
        ("--decode greedy --candidates 3 --seed 0", "greedy decoding: --candidates, --seed"),
        ("--stream --decode nucleus --top-p 0.4", None),
        (
            "--stream --batch-size 8 --fluency off --decode nucleus",
            "nucleus decoding with --stream:",
        ),
        ("--decode nucleus --temperature 0.3 --seed 3 --candidates 2", None),
        ("--decode greedy --min-length 2 --batch-size 3", None),
        ("--overwrite", "a run without --output: --overwrite"),
    ],
)
def test_options_that_are_not_used_are_named(run, write_tone, options, note):
    result = run("caption", write_tone("a.wav"), *options.split())
    assert result.exit_code == 0
    lines = [line for line in result.stderr.splitlines() if "does not use" in line]
    said = [line.replace("auricle: note: ", "").replace(" does not use", ":") for line in lines]
    assert len(said) == (note is not None)
    assert note is None or said[0].startswith(note)


def test_names_that_do_not_print_are_escaped_everywhere(run, write_tone, tmp_path):
    write_tone("a\x1b[31m\n.wav")
    (tmp_path / "b\x1b[31m\n.wav").write_text("no sound", encoding="utf-8")
    gone = "gone\x1b[31m\n.wav"
    for more in ([], ["--stream"], ["--explain"], ["--format", "table"], ["--format", "jsonl"]):
        result = run("caption", tmp_path, gone, *more)
        assert "\x1b" not in result.output
        for name in "b", "gone":
            assert rf"{name}\x1b[31m\n.wav: n" in result.stderr
    assert json.loads(result.stdout)["audio"] == str(tmp_path / "a\x1b[31m\n.wav")


def test_options_reach_the_captioner(run, write_tone):
    path = write_tone("one.wav")
    run("caption", path)
    settings = dict(StubCaptioner.settings)
    told = {"device": "auto", "precision": "float32", "seed": 0, "batch_size": 8}
    assert settings.items() >= {*told.items(), ("every_term", False), ("min_confidence", 0.0)}
    options = {
        "decode": "beam",
        "candidates": 3,
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 0,
        "min_length": 2,
        "max_length": 20,
        "no_repeat_ngram": 2,
        "fluency": "off",
    }
    assert all(settings[name] is None for name in (*options, "forbidden_words"))
    told = {"seed": 5, "batch_size": 2, "device": "cpu", "precision": "int8", "min_confidence": 0.5}
    given = [f"--{name.replace('_', '-')}={value}" for name, value in (options | told).items()]
    run("caption", path, *given, "--forbid", "dog", "--forbid", "cat")
    told |= {"forbidden_words": ("dog", "cat"), "every_term": False, "allow_urls": False}
    assert StubCaptioner.settings == options | told


def test_web_addresses_are_recordings_on_request(run, write_tone):
    path, address = write_tone("one.wav"), "https://example.org/a.wav"
    done = run("caption", address, path)
    assert done.exit_code == 1
    assert done.stdout.count("\n") == 1
    assert f"{address}: a web address, which is opened only on request" in done.stderr
    for stream in ([], ["--stream"]):
        run("caption", address, "--allow-urls", *stream)
        assert StubCaptioner.settings["allow_urls"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", "PATH"),
        ("one.wav --nonsense", "--nonsense"),
        ("one.wav --model nonsense", "auricle: error: nonsense: no such model"),
        ("one.wav --decode guess", "--decode"),
        ("one.wav --candidates 0", "--candidates"),
        ("one.wav --temperature 0", "--temperature"),
        ("one.wav --temperature nan", "--temperature"),
        ("one.wav --top-p 0", "--top-p"),
        ("one.wav --top-p 1.1", "--top-p"),
        ("one.wav --top-k -1", "--top-k"),
        ("one.wav --seed x", "--seed"),
        (f"one.wav --seed {2**63}", "--seed"),
        ("one.wav --format xml", "--format"),
        ("one.wav --device tpu", "--device"),
        ("one.wav --batch-size 0", "--batch-size"),
        (f"one.wav --batch-size {2**63}", "--batch-size"),
        ("one.wav --output one.wav", "--output"),
        ("one.wav --output gone/out.txt", "--output"),
    ],
)
def test_wrong_use_exits_with_2(run, write_tone, monkeypatch, options, words):
    path = write_tone("one.wav")
    content = path.read_bytes()
    monkeypatch.chdir(path.parent)
    result = run("caption", *options.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert path.read_bytes() == content


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


def test_captions_are_said_word_by_word(run, write_tone, tmp_path):
    good, bad = write_tone("good.wav"), tmp_path / "bad.wav"
    bad.write_text("no sound", encoding="utf-8")
    result = run("caption", bad, good, "--stream", "--decode", "nucleus", "--seed", "3")
    assert result.exit_code == 1
    assert result.stdout == f"{good}\ta tone, 삐\n"
    assert f"auricle: note: {good}: a note" in result.stderr
    assert f"auricle: error: {bad}: " in result.stderr
    assert StubCaptioner.settings["decode"] == "nucleus"
    assert StubCaptioner.settings["seed"] == 3


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--explain", "--format", "jsonl"], "--explain"),
        (["--stream", "--explain"], "--stream"),
        (["--stream", "--format", "csv"], "--stream"),
        (["--stream", "--min-confidence", "0.5"], "--min-confidence"),
        (["--min-length", "40"], "min_length=40: must be below max_length."),
        (["--precision", "int4"], "--precision"),
    ],
)
def test_options_that_do_not_go_together_are_refused(run, write_tone, options, named):
    result = run("caption", write_tone("a.wav"), *options)
    assert result.exit_code == 2
    assert named in result.stderr
    assert not result.stdout


def test_a_precision_that_was_picked_is_told_with_its_reason(run, write_tone):
    result = run("caption", write_tone("a.wav"), "--precision", "auto", "--forbid", "dog")
    assert "auricle: note: precision bf16: the stub likes it\n" in result.stderr
    assert StubCaptioner.settings["precision"] == "auto"
    assert StubCaptioner.settings["forbidden_words"] == ("dog",)
    assert "precision" not in run("caption", write_tone("a.wav")).stderr


def test_explain_prints_every_candidate(run, write_tone):
    result = run("caption", write_tone("a.wav"), "--explain")
    assert result.exit_code == 0
    assert "-1.0" in result.stdout.split("\n", 1)[1]
    assert StubCaptioner.settings["every_term"]
