"""`auricle caption` around a stub captioner: streams, formats, options and exit codes."""

from __future__ import annotations

import csv
import json

import pytest

from tests.helpers.stub_captioner import StubCaptioner


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
    given += ["--max-duration", "9.5", "--forbid", "dog", "--forbid", "cat"]
    run("caption", path, *given)
    told |= {"forbidden_words": ("dog", "cat"), "every_term": False, "allow_urls": False}
    told |= {"max_duration_s": 9.5}
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
