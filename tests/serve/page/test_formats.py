"""The page's pure functions: times, subtitles, edits, events, the head of a WAV file."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from auricle.clock import clock
from auricle.records import Caption
from auricle.subtitles.cues import plain_cues
from auricle.subtitles.documents import Document

TEXTS = ("a dog barks", "x --> y", "tom & jerry <laugh>", "  two\n\nlines  ")


@pytest.fixture(scope="module")
def run(browser, running):
    """``run(file, expression, *values)``: the expression with ``it`` for the module's names and
    ``values`` for the values, computed in the browser."""
    running.reset()
    page = browser.new_page()
    page.goto(running.url)

    def computed(file: str, expression: str, *values: Any) -> Any:
        function = (
            f"async values => {{ const it = await import('/static/{file}'); return {expression} }}"
        )
        return page.evaluate(function, list(values))

    yield computed
    page.close()


def span(number: int, start_s: float, end_s: float, text: str, record: Any = None) -> dict:
    return {"id": number, "start_s": start_s, "end_s": end_s, "text": text, "record": record}


def records() -> list[Caption]:
    times = [(62.3456, 63.0), (0.0, 0.9996), (3599.9996, 3601.2), (5.0, 5.0)]
    return [
        Caption("a.wav", *pair, text, 0.1, (), "tiny", "beam", 0, 0.5)
        for pair, text in zip(times, TEXTS, strict=True)
    ]


def spans() -> list[dict]:
    return [
        span(n, one.start_s, one.end_s, one.caption, one.to_dict())
        for n, one in enumerate(records())
    ]


@pytest.mark.parametrize("decimals", [0, 1, 3])
def test_clocks_are_those_of_the_command_line(run, decimals):
    times = [0, 0.04, 3.24, 59.94, 59.96, 62, 3599.9, 3600, 86_400.4]
    found = run("times.js", "values[0].map(one => it.clock(one, values[1]))", times, decimals)
    assert found == [clock(time, decimals) for time in times]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("62.5", 62.5), ("1:02.5", 62.5), (" 1:02:03,250 ", 3723.25), ("0:00", 0), ("90", 90),
     ("", None), ("1:60", None), ("1:60:00", None), ("-1", None), ("1:2:3:4", None), ("1e3", None),
     ("abc", None), ("1:", None), (":5", None)],
)  # fmt: skip
def test_times_are_read(run, text, seconds):
    assert run("times.js", "it.seconds(values[0])", text) == seconds


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_subtitles_are_those_of_the_command_line(run, format):
    """But for line breaks, which players make themselves."""
    written = run("subtitles.js", f"it.{format}(values[0])", spans())
    expected = str(Document(format).with_cues(plain_cues(records(), width=1000)))
    assert written == expected


def test_srt_is_read_by_others(run, tmp_path):
    pysubs2 = pytest.importorskip("pysubs2")
    written = run("subtitles.js", "it.srt(values[0])", spans())
    cues = list(pysubs2.SSAFile.from_string(written))
    assert [(one.start, one.end) for one in cues] == [
        (0, 1000), (5000, 5001), (62_346, 63_000), (3_600_000, 3_601_200)
    ]  # fmt: skip
    assert [one.plaintext for one in cues] == [
        "x -> y",
        "two lines",
        "a dog barks",
        cues[3].plaintext,
    ]
    assert "00:00:00,000 --> 00:00:01,000" in written


def test_json_holds_the_records_and_tells_what_was_edited(run):
    record = records()[0].to_dict()
    given = [
        span(1, record["start_s"], record["end_s"], record["caption"], record),
        span(2, 70.0, 71.0, record["caption"], record),
        span(3, 80.0, 81.0, "another text", record),
        span(4, 1.0, 2.0, "by hand"),
        span(5, 3.0, 4.0, " "),
    ]
    added, same, moved, told = json.loads(run("subtitles.js", "it.json(values[0], 'a.wav')", given))
    assert same == record | {"candidates": []}
    assert moved == same | {"start_s": 70.0, "end_s": 71.0, "edited": True}
    assert told["caption"] == "another text"
    assert (told["confidence"], told["score"], told["edited"]) == (None, None, True)
    assert (added["audio"], added["caption"], added["model"]) == ("a.wav", "by hand", "")


@pytest.mark.parametrize(
    ("text", "start", "end", "field"),
    [("", "1", "2", "text"), ("a", "x", "2", "start"), ("a", "1", "1:70", "end"),
     ("a", "2", "2", "end"), ("a", "2", "1", "end"), ("a", "9", "10", "start"),
     ("a", "1", "8.2", "end")],
)  # fmt: skip
def test_wrong_values_are_refused(run, text, start, end, field):
    values = {"text": text, "start": start, "end": end}
    found = run("edits.js", "it.checked(values[0], values[1], 8)", span(1, 0.0, 1.0, "a"), values)
    assert found["field"] == field
    assert "values" not in found


def test_a_time_that_was_left_alone_stays_exact(run):
    values = {"text": "b  c ", "start": "0:01.123", "end": "2"}
    found = run("edits.js", "it.checked(values[0], values[1], 8)", span(1, 1.12345, 3, "a"), values)
    assert found == {"values": {"text": "b c", "start_s": 1.12345, "end_s": 2}}


def test_undo_brings_back_and_keeps_what_came_meanwhile(run):
    code = """(() => {
      const edits = new it.Edits()
      const record = start_s => ({start_s, end_s: start_s + 1, caption: `${start_s}`})
      edits.append([record(5), record(1)])
      edits.remove(edits.spans[0])
      edits.append([record(3)])
      const between = edits.spans.map(span => span.text)
      edits.undo()
      return [between, edits.spans.map(span => span.text), edits.canUndo]
    })()"""
    assert run("edits.js", code) == [["3", "5"], ["1", "3", "5"], False]


def test_lanes_hold_no_overlap(run):
    given = [span(1, 0, 3, "a"), span(2, 1, 2, "b"), span(3, 2, 4, "c"), span(4, 3, 5, "d")]
    found = run("edits.js", "it.lanes(values[0]).map(row => row.map(one => one.id))", given)
    assert found == [[1, 4], [2, 3]]


def test_events_are_parsed(run):
    text = ": hi\r\n\r\nid: 3\r\nevent: note\r\ndata: a\r\ndata: b\r\n\r\ndata:c: d\n\nid: 4\n"
    assert run("events.js", "it.parsed(values[0])", text) == [
        {"id": "3", "event": "note", "data": "a\nb"},
        {"id": None, "event": "message", "data": "c: d"},
    ]


@pytest.mark.parametrize(
    ("status", "body", "key"),
    [(413, "x", "large"), (415, '{"error": {"message": "no"}}', "unusable"), (422, "", "unusable"),
     (404, '{"error": {"code": "job_not_found"}}', "gone"), (404, "{}", "refused"),
     (429, "", "busy"), (500, "<html>", "server"), (403, "null", "refused")],
)  # fmt: skip
def test_answers_have_a_meaning(run, status, body, key):
    found = run("api.js", "it.problemOf(values[0], values[1], null).key", status, body)
    assert found == f"problem.{key}"


def test_the_head_of_a_wav_file(run):
    head = bytes(run("recorder.js", "[...new Uint8Array(it.wavHead(1000, 44100))]"))
    assert head[:4] + head[8:16] + head[36:40] == b"RIFFWAVEfmt data"
    assert struct.unpack("<I", head[4:8]) == (2036,)
    assert struct.unpack("<IHHIIHHI", head[16:36] + head[40:44]) == (
        16, 1, 1, 44_100, 88_200, 2, 16, 2000
    )  # fmt: skip


def test_words_for_a_confidence(run):
    found = run("caption.js", "values[0].map(one => it.confidenceWords(one))", [0.1, 0.3, 0.62, 1])
    assert [key for key, _ in found] == [
        f"confidence.{x}" for x in ("guess", "unsure", "fairly", "sure")
    ]
    assert found[2][1] == {"number": "0.62", "count": 62}


def test_a_words_strongest_time_and_its_contrast(run):
    assert run("caption.js", "it.strongest([.1, .7, .2], 1, 4)") == {"from": 2, "to": 3}
    found = run("caption.js", "it.contrasted([[.1, .7, .1, .1], [.25, .25, .25, .25]])")
    assert found == [[0, 1, 0, 0], [0, 0, 0, 0]]


def test_an_outline_keeps_the_peaks(run):
    lows, highs = [-1, -5, 0, -2], [1, 2, 9, 3]
    assert run("picture.js", "it.outline(values[0], values[1], 2)", lows, highs) == [
        [-5, 2],
        [-2, 9],
    ]
    assert len(run("picture.js", "it.outline(values[0], values[1], 7)", lows, highs)) == 7


def test_reasons_are_put_into_words(run):
    given = [
        None,
        "score 0.014 below",
        "not fluent: a: b",
        "later in the order of beam search",
        "new",
    ]
    found = run("candidates.js", "values[0].map(it.reasonWords)", given)
    assert found == [
        ["why.chosen"],
        ["why.below", {"what": "0.014"}],
        ["why.fluent", {"what": "a: b"}],
        ["why.later", {"what": "beam"}],
        ["why.other", {"what": "new"}],
    ]
