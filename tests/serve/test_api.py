"""Captions and timelines over HTTP: records, formats, errors and limits."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import httpx
import pytest

from auricle.cli.options import DecodingChoices
from auricle.records import Caption
from auricle.serve.forms import CaptionForm, SubtitleForm, TimelineForm
from tests.helpers.requests import error_of, files
from tests.helpers.service import serving


def test_the_records_are_those_of_the_library(client, captioner, write_tone):
    paths = [write_tone("a.wav", 1.0), write_tone("b.flac", 2.0, 44_100)]
    answer = client.post("/v1/captions", files=files(*paths), data={"seed": 3})
    assert answer.status_code == 200
    expected = captioner.caption(paths, seed=3)
    for record, caption in zip(answer.json(), expected, strict=True):
        own = json.loads(json.dumps(caption.to_dict()))
        for one, other in zip(
            [record, *record.pop("candidates")], [own, *own.pop("candidates")], strict=True
        ):
            assert one.keys() == other.keys()
            for key in one.keys() - {"audio"}:
                value = other[key]
                if isinstance(value, float):  # sums of a batch of another size
                    value = pytest.approx(value, rel=1e-4, abs=1e-6)
                assert one[key] == value
    assert [record["audio"] for record in answer.json()] == ["a.wav", "b.flac"]


def test_a_long_recording_is_captioned_in_parts(client, captioner, write_tone):
    path = write_tone("long.wav", 35.0, 8_000)
    record = client.post("/v1/captions", files=files(path)).json()[0]
    expected = captioner.caption(path)
    assert (record["caption"], record["end_s"]) == (expected[0].caption, 35.0)


def test_only_the_start_is_heard_with_a_note(client, write_tone):
    path = write_tone("long.wav", 3.0)
    record = client.post("/v1/captions", files=files(path), data={"max-duration": 1}).json()[0]
    assert record["end_s"] == 1.0
    assert record["note"] == "long.wav: 3 s long; captioned its first 1 s"


def test_one_bad_recording_does_not_stop_the_others(client, write_tone, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound")
    good = write_tone("good.wav")
    answer = client.post("/v1/captions", files=files(bad, good))
    failed, record = answer.json()
    assert answer.status_code == 200
    assert failed["audio"] == "bad.wav"
    assert failed["error"]["code"] == "unusable_recording"
    assert record["audio"] == "good.wav"
    table = client.post("/v1/captions", files=files(bad, good), data={"format": "table"}).text
    assert 'bad.wav,,,,,failed,"not audio in' in table

    alone = client.post("/v1/captions", files=files(bad))
    assert alone.status_code == 422
    assert error_of(alone)["code"] == "unusable_recording"
    assert str(tmp_path) not in alone.text
    assert "auricle-" not in alone.text  # nor our own folder


@pytest.mark.parametrize(
    ("format", "media", "begins"),
    [
        ("text", "text/plain; charset=utf-8", "a.wav\t"),
        ("jsonl", "application/jsonl", '{"audio": "a.wav"'),
        ("csv", "text/csv; charset=utf-8", "file_name,caption_predicted\na.wav,"),
        ("table", "text/csv; charset=utf-8", "\ufeffpath,start,end"),
    ],
)
def test_formats_of_captions(client, write_tone, format, media, begins):
    answer = client.post("/v1/captions", files=files(write_tone("a.wav")), data={"format": format})
    assert answer.headers["content-type"] == media
    assert answer.text.startswith(begins)


@pytest.mark.parametrize("format", ["json", "jsonl", "csv", "srt", "vtt", "textgrid", "eaf"])
def test_a_timeline_in_every_format(client, captioner, write_tone, format):
    path = write_tone("a.wav", 3.0)
    data = {"format": format, "sensitivity": 1.0, "profile": "sdh" if format == "srt" else "plain"}
    answer = client.post("/v1/timeline", files=files(path), data=data)
    assert answer.status_code == 200, answer.text
    expected = [*captioner.timeline(path, sensitivity=1.0)]
    if format == "json":
        assert [one["caption"] for one in answer.json()] == [one.caption for one in expected]
    if format == "vtt":
        assert answer.text.startswith("WEBVTT")
    if format == "eaf":
        assert answer.text.startswith("<?xml")


@pytest.mark.parametrize(
    ("data", "status", "code", "message"),
    [
        ({"tempo": 1}, 422, "invalid_setting", "tempo: there is no such field"),
        ({"decode": "magic"}, 422, "invalid_setting", "decode: Input should be 'nucleus'"),
        ({"temperature": -1}, 422, "invalid_setting", "temperature=-1.0: must be above 0"),
        ({"seed": -1}, 422, "invalid_setting", "seed: "),
        ({"model": "huge"}, 404, "model_not_found", "debug, other"),
        ({"min_confidence": 0.5}, 422, "invalid_setting", "no calibration"),
    ],
)
def test_wrong_settings_are_named(client, write_tone, data, status, code, message):
    answer = client.post("/v1/captions", files=files(write_tone("a.wav")), data=data)
    assert answer.status_code == status
    assert error_of(answer)["code"] == code
    assert message in error_of(answer)["message"]


def test_wrong_options_of_a_timeline_are_named(client, write_tone):
    for data, part in (({"hop": 0.1}, "hop_s"), ({"cue_duration": -1, "profile": "sdh"}, "cue")):
        answer = client.post("/v1/timeline", files=files(write_tone("a.wav")), data=data)
        assert (answer.status_code, part in error_of(answer)["message"]) == (422, True)


def test_requests_without_a_recording_or_with_too_many(client, write_tone):
    none = client.post("/v1/captions", data={"seed": 1})
    assert (none.status_code, error_of(none)["param"]) == (422, "file")
    path = write_tone("a.wav", 0.5)
    many = client.post("/v1/captions", files=files(*[path] * 5))
    assert (many.status_code, error_of(many)["code"]) == (413, "too_many_files")


def test_a_recording_that_is_too_long_is_sent_to_jobs(client, write_tone):
    path = write_tone("long.flac", 41.0, 8_000)
    for route in ("captions", "timeline"):
        answer = client.post(f"/v1/{route}", files=files(path))
        assert (answer.status_code, error_of(answer)["code"]) == (413, "recording_too_long")
        assert "/v1/jobs" in error_of(answer)["message"]


def test_over_the_queue_a_client_is_told_to_come_later(captioner, write_tone):
    with serving({"debug": captioner}, max_queue=1) as (url, service):
        path = write_tone("a.wav")
        answer = httpx.post(f"{url}/v1/captions", files=files(path, path))
        assert (answer.status_code, error_of(answer)["code"]) == (429, "too_busy")
        assert int(answer.headers["Retry-After"]) >= 1
        assert httpx.post(f"{url}/v1/captions", files=files(path)).status_code == 200
        assert service.metrics.in_work._value.get() == 0


def test_uploads_are_gone_after_the_answer(client, service, write_tone):
    client.post("/v1/captions", files=files(write_tone("a.wav")))
    assert list(service.folder.iterdir()) == []


def test_models_limits_health_and_metrics(client):
    models = client.get("/v1/models").json()
    assert [one["id"] for one in models["data"]] == ["debug", "other"]
    assert models["object"] == "list"
    assert client.get("/v1/models/other").json() == models["data"][1]
    assert client.get("/v1/models/huge/one").status_code == 404
    assert client.get("/v1/limits").json() == {
        "max_upload_mb": 1.0,
        "max_files": 4,
        "max_duration_s": 40.0,
        "search": False,
    }
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200
    text = client.get("/metrics").text
    assert 'auricle_requests_total{method="GET",route="/v1/models",status="200"}' in text
    assert "auricle_batch_recordings_bucket" in text
    assert 'auricle_jobs{state="queued"} 0.0' in text


def test_nothing_else_is_there(client):
    for path in (
        "/docs",
        "/redoc",
        "/v1/",
        "/../etc/passwd",
        "/static/../app.py",
        "/static/app.py",
    ):
        answer = client.get(path)
        assert (answer.status_code, error_of(answer)["code"]) == (404, "not_found")
    assert client.get("/v1/captions").status_code == 405


def test_requests_at_once_are_not_mixed_up(client, captioner, write_tone):
    paths = [write_tone(f"{number}.wav", 0.5 + 0.1 * number) for number in range(8)]
    expected = {one.audio: one for one in captioner.caption(paths)}
    answers: dict[str, dict] = {}

    def ask(path: Path) -> None:
        answers[str(path)] = client.post("/v1/captions", files=files(path)).json()[0]

    threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for path in map(str, paths):
        assert answers[path]["audio"] == Path(path).name
        assert answers[path]["caption"] == expected[path].caption
        assert answers[path]["end_s"] == expected[path].end_s


def test_the_fields_are_the_options_of_the_command_line():
    from dataclasses import fields

    from auricle.cli.subtitle_options import SubtitleChoices
    from auricle.cli.timeline import TimelineChoices

    of_decoding = {one.name for one in fields(DecodingChoices)}
    names = of_decoding - {"method", "forbidden_words"} | {"decode", "forbid"}
    names |= {"model", "seed", "min_confidence"}
    own = {"file", "format"}
    assert set(CaptionForm.model_fields) == names | own | {"max_duration", "explain"}
    times = {one.name for one in fields(TimelineChoices)}
    subtitles = {one.name for one in fields(SubtitleChoices)} - {"speech", "strip"}
    assert set(SubtitleForm.model_fields) == names | times | subtitles
    assert set(TimelineForm.model_fields) == names | times | subtitles | own


def test_the_document_of_the_interface_has_examples(client):
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    record = document["components"]["schemas"]["CaptionRecord"]
    (example,) = record["examples"]
    values = {name: example[name] for name in Caption.__match_args__}
    assert set(record["properties"]) == {*values, "note"}
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert "422" not in route["responses"] or "ProblemBody" in json.dumps(
                route["responses"]["422"]
            ), (path, method)


def test_a_decoder_that_dies_loses_one_request_and_is_counted(captioner, write_tone):
    sound = files(write_tone("a.wav"))
    with serving({"debug": captioner}) as (url, service):
        service._decoders.wait_s, patience_s = 1e-6, service._decoders.wait_s
        for route in ("captions", "timeline"):
            died = httpx.post(f"{url}/v1/{route}", files=sound, timeout=60)
            assert (died.status_code, error_of(died)["code"]) == (422, "decoder_died")
            assert error_of(died)["message"].startswith("a.wav: ")
        service._decoders.wait_s = patience_s
        assert httpx.post(f"{url}/v1/captions", files=sound, timeout=60).status_code == 200
        assert "auricle_decoder_deaths_total 2.0" in httpx.get(f"{url}/metrics").text
