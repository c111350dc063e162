"""`auricle timeline`: rows and documents, places, wrong use, and what survives an interruption."""

from __future__ import annotations

import csv
import io
import json
import signal
import time

import pytest

from auricle.cli.timeline_formats import SUFFIXES
from auricle.timeline.options import TimelineOptions
from tests.helpers.stub_captioner import StubCaptioner

SPEECH = "1\n00:00:00,000 --> 00:00:01,000\n[BEEP]\n\n2\n00:00:04,500 --> 00:00:05,500\nHello.\n"


@pytest.fixture
def tone(write_tone):
    return write_tone("one.wav", 6.0)


def test_every_caption_is_a_record_on_stdout(run, tone, write_tone):
    other = write_tone("two.wav", 3.0)
    result = run("timeline", tone, other)
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    spans = [(row["audio"], row["start_s"], row["end_s"]) for row in records]
    assert spans == [*((str(tone), s, s + 2.0) for s in (0, 2, 4)), (str(other), 0, 2.0)]


def test_options_reach_the_captioner(run, tone):
    run("timeline", tone)
    assert StubCaptioner.settings["options"] == TimelineOptions()
    given = ["--min-duration", 0.5, "--max-duration", 20, "--sensitivity", 0.7, "--hop", 10]
    run("timeline", tone, *given, "--min-confidence", 0.3, "--decode", "greedy")
    wanted = TimelineOptions(min_duration_s=0.5, max_duration_s=20, sensitivity=0.7, hop_s=10)
    assert StubCaptioner.settings["options"] == wanted
    assert StubCaptioner.settings["min_confidence"] == 0.3
    assert StubCaptioner.settings["decode"] == "greedy"


def test_the_name_of_the_file_decides_the_format(run, tone, tmp_path):
    for name, begins in {
        "a.srt": "1\n00:00:00,000 --> ",
        "a.vtt": "WEBVTT\n",
        "a.TextGrid": 'File type = "ooTextFile"',
        "a.eaf": "<?xml",
        "a.txt": "0.000000\t2.000000\ta tone",
        "a.csv": "\ufeffpath,start,end",
        "a.json": "[\n{",
        "a.jsonl": '{"audio"',
        "a.other": '{"audio"',
    }.items():
        assert run("timeline", tone, "--output", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


def test_several_formats_go_to_a_folder(run, tone, tmp_path):
    formats = ",".join(SUFFIXES)
    result = run("timeline", tone, "--format", formats, "--output", f"{tmp_path}/out/")
    assert result.exit_code == 0
    names = {path.name for path in (tmp_path / "out").iterdir() if "ledger" not in path.name}
    assert names == {f"one.wav{suffix}" for suffix in SUFFIXES.values()}
    rows = [*csv.reader(io.StringIO((tmp_path / "out/one.wav.csv").read_text("utf-8-sig")))]
    assert [row[1:3] for row in rows[1:]] == [["0", "2.0"], ["2", "4.0"], ["4", "6.0"]]
    again = run("timeline", tone, "--format", formats, "--output", f"{tmp_path}/out/", "--resume")
    assert "1 done before" in again.stderr
    changed = ["--format", formats, "--output", f"{tmp_path}/out/", "--dry-run"]
    assert run("timeline", tone, *changed, "--sensitivity", 0.9).stdout.startswith("other\t")
    assert run("timeline", tone, *changed, "--batch-size", 2).stdout.startswith("done\t")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "srt,vtt"], "name a folder|with a folder"),
        (["--format", "wav"], "must be jsonl"),
        (["--format", ","], "must be jsonl"),
        (["--format", "eaf", "two"], "of one recording"),
        (["--format", "jsonl", "--speech", "speech"], "srt and vtt alone"),
        (["--strip"], "no subtitles|cannot be read|one.wav"),
        (["--profile", "plain", "--speech", "speech"], "overlap the dialogue"),
        (["--sensitivity", "2"], "0.0<=x<=1.0|less than or equal to 1"),
        (["--speech", "none.srt"], "none.srt"),
    ],
)
def test_wrong_use_is_refused_in_one_line(run, tone, write_tone, tmp_path, arguments, message):
    (tmp_path / "speech.srt").write_text(SPEECH, encoding="utf-8")
    names = {"two": write_tone("two.wav", 3.0), "speech": tmp_path / "speech.srt"}
    result = run("timeline", tone, *(names.get(one, one) for one in arguments))
    assert result.exit_code == 2
    text = " ".join(result.stderr.replace("│", " ").split())
    assert any(part in text for part in message.split("|"))
    assert "Traceback" not in result.output
    assert not result.stdout


def test_cues_go_beside_dialogue_whose_own_cues_can_be_stripped(run, tone, tmp_path):
    speech = tmp_path / "speech.srt"
    speech.write_text(SPEECH, encoding="utf-8")
    merged = run("timeline", tone, "--speech", speech)
    assert merged.exit_code == 0
    assert "Hello.\n" in merged.stdout
    assert "[BEEP]" in merged.stdout
    stripped = run("timeline", tone, "--speech", speech, "--strip")
    assert "[BEEP]" not in stripped.stdout
    alone = run("timeline", speech, "--strip", "--format", "vtt")
    assert alone.exit_code == 0
    assert alone.stdout.startswith("WEBVTT")
    assert "[BEEP]" not in alone.stdout
    assert "Hello." in alone.stdout
    for name, begins in {"b.vtt": "WEBVTT", "b.srt": "1\n00:", "b.txt": "1\n00:"}.items():
        assert run("timeline", speech, "--strip", "--output", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


def test_a_bad_recording_is_named_and_the_rest_goes_on(run, tone, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound")
    result = run("timeline", bad, tone, tmp_path / "gone.wav", "--format", "csv")
    assert result.exit_code == 1
    rows = [*csv.reader(io.StringIO(result.stdout.removeprefix("\ufeff")))]
    assert [(row[0], row[5]) for row in rows[1:]] == [
        (str(bad), "failed"),
        *[(str(tone), "ok")] * 3,
        (str(tmp_path / "gone.wav"), "failed"),
    ]
    assert result.stderr.count("error:") == 2


@pytest.mark.parametrize("format", ["jsonl", "json", "csv"])
def test_an_interruption_keeps_what_is_found(program, write_tone, format):
    process = program("timeline", write_tone("long.wav", 60.0), "--format", format, pause_s=0.2)
    head = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGTERM)
    rest, errors = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=20) == 143
    assert "interrupted" in errors
    text = "".join(head) + rest
    if format == "json":
        assert len(json.loads(text)) >= 2
    elif format == "jsonl":
        assert len([json.loads(line) for line in text.splitlines()]) >= 3
    else:
        assert all(len(row) == 7 for row in csv.reader(io.StringIO(text)))


def test_a_recording_with_nothing_to_hear_has_an_empty_document(run, write_tone):
    silent = write_tone("short.wav", 1.0)  # the stub has captions from two seconds on
    for format, text in {"json": "[]\n", "jsonl": "", "vtt": "WEBVTT\n", "audacity": ""}.items():
        result = run("timeline", silent, "--format", format)
        assert (result.exit_code, result.stdout.rstrip("\n")) == (0, text.rstrip("\n"))


@pytest.mark.parametrize("format", ["srt", "textgrid"])
def test_an_interrupted_document_is_whole_and_has_what_was_found(
    program, write_tone, tmp_path, format
):
    output = tmp_path / "out.x"
    given = ["timeline", write_tone("long.wav", 60.0), "--format", format, "--output", output]
    process = program(*given, pause_s=0.2)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert "finished results have been written" in errors
    text = output.read_text(encoding="utf-8")
    assert text.count("a tone of 2 s") >= 1
    assert text.endswith("\n")


def test_what_is_done_depends_on_the_dialogue_not_on_its_name(run, tone, tmp_path):
    speech, copy = tmp_path / "speech.srt", tmp_path / "copy.srt"
    for path in (speech, copy):
        path.write_text(SPEECH, encoding="utf-8")
    common = ["--output", f"{tmp_path}/out/", "--resume", "--dry-run"]
    assert run("timeline", tone, "--speech", speech, *common[:2]).exit_code == 0
    assert run("timeline", tone, "--speech", copy, *common).stdout.startswith("done\t")
    speech.write_text(SPEECH.replace("Hello", "Goodbye"), encoding="utf-8")
    assert run("timeline", tone, "--speech", speech, *common).stdout.startswith("other\t")


def test_what_is_done_depends_on_no_order_and_on_no_option_without_effect(run, tone, tmp_path):
    common = ["timeline", tone, "--output", f"{tmp_path}/out/"]
    run(*common, "--format", "csv,jsonl")
    more = [*common, "--resume", "--dry-run", "--format"]
    assert run(*more, "jsonl,csv").stdout.startswith("done\t")
    assert run(*more, "jsonl,csv", "--profile", "sdh").stdout.startswith("done\t")
    assert run(*more, "jsonl").stdout.startswith("other\t")


def test_dialogue_is_of_one_recording(run, tone, write_tone, tmp_path):
    (tmp_path / "speech.srt").write_text(SPEECH, encoding="utf-8")
    other = write_tone("two.wav", 3.0)
    for place in ([], ["--output", f"{tmp_path}/out/"]):
        result = run("timeline", tone, other, "--speech", tmp_path / "speech.srt", *place)
        assert result.exit_code == 2
        assert "dialogue is of one recording" in " ".join(result.stderr.replace("│", " ").split())
