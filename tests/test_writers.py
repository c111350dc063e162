"""Each format holds the record whole, as it is written, and is complete at the end."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import replace

import pytest

from auricle.records import Candidate, Caption
from auricle.writers import SUFFIXES, TIMELINE_WRITERS, WRITERS, document

RAIN = Caption(
    audio="소리/비 one.wav",
    start_s=0.0,
    end_s=4.5,
    caption='rain falls, "softly", 창밖',
    score=-0.5,
    candidates=(
        Candidate("rain falls", -1.25, 0.5, -0.025, True),
        Candidate("wind", -2.0, None, -2.0, None),
    ),
    model="tiny",
    decode="nucleus",
    seed=7,
)
DOG = Caption("dog.wav", 0.0, 1.0, "a dog barks", None, (), "tiny", "greedy", 0)


def written(format: str, *captions: Caption) -> str:
    stream = io.StringIO()
    with WRITERS[format](stream) as writer:
        for caption in captions:
            writer.write(caption)
    return stream.getvalue()


def test_text():
    assert written("text", RAIN, DOG) == (
        '소리/비 one.wav\train falls, "softly", 창밖\ndog.wav\ta dog barks\n'
    )
    assert written("text") == ""


def test_jsonl_keys_and_values():
    lines = written("jsonl", RAIN, DOG).splitlines()
    assert "창밖" in lines[0]
    rain, dog = map(json.loads, lines)
    assert list(rain) == [
        *("audio", "start_s", "end_s", "caption", "score", "candidates", "model", "decode"),
        *("seed", "confidence"),
    ]
    assert rain["candidates"][0] == {
        "text": "rain falls",
        "log_likelihood": -1.25,
        "similarity": 0.5,
        "score": -0.025,
        "fluent": True,
        "summed_log_likelihood": None,
        "fluency": None,
        "agreement": None,
        "count": 1,
        "model": None,
        "reason": None,
    }
    assert rain["audio"] == RAIN.audio
    assert dog["candidates"] == []
    assert dog["score"] is None


def test_json_is_the_array_of_the_same_objects():
    for captions in ((), (RAIN,), (RAIN, DOG)):
        lines = written("jsonl", *captions).splitlines()
        assert json.loads(written("json", *captions)) == [json.loads(line) for line in lines]


def test_csv_is_the_dcase_submission_format():
    rows = list(csv.reader(io.StringIO(written("csv", RAIN, DOG))))
    assert rows == [
        ["file_name", "caption_predicted"],
        ["비 one.wav", RAIN.caption],
        ["dog.wav", "a dog barks"],
    ]
    assert written("csv") == "file_name,caption_predicted\n"


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_the_table_has_a_row_for_every_recording():
    stream = io.StringIO()
    with WRITERS["table"](stream) as writer:
        writer.write(replace(RAIN, confidence=0.61803))
        writer.fail("bad.wav", 'damaged, "whole" copy needed')
        writer.write(DOG, partial=True)
    text = stream.getvalue()
    assert text.encode().startswith(b"\xef\xbb\xbfpath,")
    assert text.count("\r\n") == text.count("\n") == 4
    assert rows(text.removeprefix("\ufeff")) == [
        ["path", "start", "end", "caption", "confidence", "status", "error"],
        ["소리/비 one.wav", "0.0", "4.5", RAIN.caption, "0.618", "ok", ""],
        ["bad.wav", "", "", "", "", "failed", 'damaged, "whole" copy needed'],
        ["dog.wav", "0.0", "1.0", "a dog barks", "", "partial", ""],
    ]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "'", "＝"])
def test_a_spreadsheet_computes_no_cell_of_the_table(sign):
    formula = sign + 'HYPERLINK("http://x")'
    stream = io.StringIO()
    with WRITERS["table"](stream) as writer:
        writer.write(replace(DOG, audio=formula, caption=formula))
        writer.fail(formula, formula)
    for row in rows(stream.getvalue())[1:]:
        assert row[0] == f"'{formula}"
        assert row.count(f"'{formula}") == 2
    for before in "\t\r":
        assert rows(written("table", replace(DOG, audio=f"{before}=1")))[1][0][0] == "\\"
    assert rows(written("csv", replace(DOG, audio=formula)))[1][0] == formula.split("/")[-1]


NASTY = "new\nline\x1b[31m\u202egnp.\udcff.wav"  # a line end, colour, right to left, not Unicode


def test_names_that_do_not_print():
    nasty = replace(DOG, audio=NASTY)
    shown = r"new\nline\x1b[31m\u202egnp.\xff.wav"
    assert written("text", nasty) == f"{shown}\ta dog barks\n"
    assert rows(written("table", nasty))[1][0] == shown
    assert rows(written("csv", nasty))[1][0] == NASTY  # the scorer's key
    for format in ("json", "jsonl"):
        text = written(format, nasty)
        assert text.replace("\n", "").isprintable()
        value = json.loads(text)
        assert (value if format == "jsonl" else value[0])["audio"] == NASTY


def test_csv_on_a_terminal_escapes_what_does_not_print():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with WRITERS["csv"](Terminal()) as writer:
        writer.write(replace(DOG, audio=NASTY))
        assert "\x1b" not in writer.stream.getvalue()


@pytest.mark.parametrize("format", WRITERS)
def test_a_record_is_on_disk_before_the_next(tmp_path, format):
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as stream, WRITERS[format](stream) as writer:
        writer.write(RAIN)
        assert "창밖" in path.read_text(encoding="utf-8")
        writer.write(DOG)
        assert "a dog barks" in path.read_text(encoding="utf-8")


def test_json_is_valid_after_an_interruption():
    stream = io.StringIO()
    with contextlib.suppress(KeyboardInterrupt), WRITERS["json"](stream) as writer:
        writer.write(RAIN)
        raise KeyboardInterrupt
    assert [record["audio"] for record in json.loads(stream.getvalue())] == [RAIN.audio]


@pytest.mark.parametrize("format", WRITERS)
def test_a_document_is_what_the_writer_writes(format):
    assert document(WRITERS[format], [RAIN, DOG]) == written(format, RAIN, DOG)
    assert document(WRITERS[format], []) == written(format)


def test_every_format_has_a_suffix_of_its_own():
    assert SUFFIXES.keys() == WRITERS.keys()
    assert len(set(SUFFIXES.values())) == len(SUFFIXES)


def test_the_csv_of_a_timeline_has_times_and_a_row_for_every_caption():
    captions = [
        replace(DOG, start_s=1.25, end_s=2.5, confidence=0.5),
        replace(DOG, start_s=3.0, end_s=4.0),
    ]
    texts = {}
    for format, writer_of in TIMELINE_WRITERS.items():
        stream = io.StringIO()
        with writer_of(stream) as writer:
            for caption in captions:
                writer.write(caption)
        texts[format] = stream.getvalue()
    assert rows(texts["csv"].removeprefix("\ufeff")) == [
        ["path", "start", "end", "caption", "confidence", "status", "error"],
        ["dog.wav", "1.25", "2.5", "a dog barks", "0.500", "ok", ""],
        ["dog.wav", "3.0", "4.0", "a dog barks", "", "ok", ""],
    ]
    assert [row["start_s"] for row in json.loads(texts["json"])] == [1.25, 3.0]
    assert [json.loads(line)["end_s"] for line in texts["jsonl"].splitlines()] == [2.5, 4.0]
