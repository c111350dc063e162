"""Requests of the client: retries, errors in a line, streamed uploads, server-sent events."""

from __future__ import annotations

import builtins
import io
import sys

import httpx
import numpy as np
import pytest
import soundfile

from auricle import connection
from auricle.connection import Connection, CutError, uploading
from auricle.errors import AudioError, MissingDependencyError, ModelError, ServiceError

URL = "http://127.0.0.1:8000"
OK = httpx.Response(200, json=[])


def connected(answer, api_key=None, url=URL) -> Connection:
    """A connection to a service that is a function of the request."""
    return Connection(url, api_key, 5.0, httpx.MockTransport(answer))


def refusing(status: int, code: str = "x", message: str = "no", **headers: str):
    body = {"error": {"message": message, "type": "t", "code": code, "param": None}}
    return lambda request: httpx.Response(status, json=body, headers=headers)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://a", "http://", "http://a:x", "", "a\nb"])
def test_what_is_no_address_is_refused_at_once(url):
    with pytest.raises(ServiceError, match=r"no address of a service; give one such as http://1"):
        Connection(url, None, 5.0, None)


def test_the_path_of_an_address_stays():
    seen = []
    found = connected(lambda r: seen.append(r.url) or httpx.Response(200, json=1), url=f"{URL}/a/")
    assert found.send("GET", "/v1/models") == 1
    assert str(seen[0]) == f"{URL}/a/v1/models"


def test_the_key_is_given_or_the_environments(monkeypatch):
    def answer(request):
        return httpx.Response(200, json=request.headers.get("Authorization"))

    monkeypatch.delenv("AURICLE_API_KEY", raising=False)
    assert connected(answer).send("GET", "/") is None
    assert connected(answer, "given").send("GET", "/") == "Bearer given"
    monkeypatch.setenv("AURICLE_API_KEY", "of-environment\n")
    assert connected(answer).send("GET", "/") == "Bearer of-environment"
    assert connected(answer, "given").send("GET", "/") == "Bearer given"
    for key in ("ключ", "a\nb"):
        with pytest.raises(ServiceError, match="api_key") as raised:
            connected(answer, key)
        assert key not in str(raised.value)


def test_a_busy_service_is_asked_again_with_the_whole_recording(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF" * 50_000)
    bodies = []

    def answer(request):
        bodies.append(request.read())
        busy = len(bodies) < 3
        return refusing(429, "too_busy", **{"Retry-After": "0"})(request) if busy else OK

    with uploading(tmp_path / "a.wav", None) as (name, sound):
        fields = {"task": ["caption", "picture"], "words": True, "seed": 3}
        assert connected(answer).send("POST", "/v1/jobs", name, sound, fields) == []
    assert len(bodies) == 3
    for body in bodies:
        assert b"RIFF" * 50_000 in body
        assert b'filename="a.wav"' in body
        assert str(tmp_path).encode() not in body
        assert body.count(b'name="task"') == 2
        assert b"\r\n\r\ntrue\r\n" in body


def test_a_service_that_stays_busy_is_given_up(monkeypatch):
    asked = []
    slept = []
    monkeypatch.setattr(connection.time, "sleep", slept.append)

    def answer(request):
        asked.append(request)
        return refusing(429, "too_busy", "9 recordings wait", **{"Retry-After": "9000"})(request)

    with pytest.raises(ServiceError, match=f"^{URL}: 9 recordings wait$"):
        connected(answer).send("POST", "/v1/captions")
    assert (len(asked), slept) == (connection.TRIES, [60.0] * (connection.TRIES - 1))


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "told"),
    [
        (401, "invalid_api_key", "missing", ServiceError, f"{URL}: the API key is missing or wr"),
        (403, "wrong_host", "not\nhere", ServiceError, f"{URL}: not here"),
        (404, "model_not_found", "no such model", ModelError, "no such model"),
        (404, "job_not_found", "no such job", ServiceError, f"{URL}: no such job"),
        (413, "request_too_large", "too large", AudioError, "d/a.wav: too large"),
        (422, "invalid_setting", "top_p=2: wrong", ModelError, "top_p=2: wrong"),
        (422, "unusable_recording", "a.wav: broken \x1b[2J", AudioError, r"d/a.wav: broken \x1b[2"),
        (422, "decoder_died", "a.wav: crashed", AudioError, "d/a.wav: crashed"),
        (503, "stopping", "ending", ServiceError, f"{URL}: ending"),
    ],
)
def test_refusals_are_errors_in_a_line(status, code, message, kind, told):
    with pytest.raises(kind) as raised:
        connected(refusing(status, code, message)).send("POST", "/v1/captions", "d/a.wav")
    assert str(raised.value).startswith(told)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "answer", [httpx.Response(502, text="<html>"), httpx.Response(200, text="hi")]
)
def test_another_server_is_told_apart(answer):
    with pytest.raises(ServiceError, match=r"status \d+, not as auricle serve does"):
        connected(lambda request: answer).send("GET", "/v1/models")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (httpx.ConnectError("refused"), r"no service there \(refused\); start one: auricle serve"),
        (httpx.ConnectTimeout("timed out"), "no service there"),
        (httpx.ReadTimeout("slow"), "no answer within 5 s; give a larger timeout_s"),
        (httpx.RemoteProtocolError("cut"), r"the connection was cut \(cut\)"),
    ],
)
def test_a_service_that_does_not_answer(error, told):
    def fail(request):
        raise error

    with pytest.raises(CutError, match=told):
        connected(fail).send("GET", "/v1/models")


def test_no_service_is_listening():
    with pytest.raises(ServiceError, match=r"127.0.0.1:1: no service there .*auricle serve"):
        Connection("http://127.0.0.1:1", None, 5.0, None).send("GET", "/v1/models")


def test_httpx_is_an_extra(monkeypatch):
    real = builtins.__import__

    def without_httpx(name, *rest):
        if name == "httpx":
            raise ImportError("No module named 'httpx'")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "httpx")
    monkeypatch.setattr(builtins, "__import__", without_httpx)
    with pytest.raises(MissingDependencyError, match=r"needs httpx: .*pip install .*client"):
        Connection(URL, None, 5.0, None)


def test_recordings_are_sent_as_they_are_and_arrays_as_wav(tmp_path):
    (tmp_path / "a.flac").write_bytes(b"fLaC...")
    for source, name in (
        (tmp_path / "a.flac", str(tmp_path / "a.flac")),
        (b"fLaC...", "<bytes>"),
        (io.BytesIO(b"fLaC..."), "<BytesIO>"),
        ({"bytes": b"fLaC...", "path": "b.flac"}, "b.flac"),
    ):
        with uploading(source, None) as (found, sound):
            assert (found, sound.read()) == (name, b"fLaC...")
    array = np.linspace(-1, 1, 5_000)
    for source, rate in (((array, 8_000), None), (array, 8_000), ((array, 8_000), 44_100)):
        with uploading(source, rate) as (name, sound):
            back, rate_hz = soundfile.read(io.BytesIO(sound.read()), dtype="float32")
        assert (name, rate_hz) == ("<array>", 8_000)
        np.testing.assert_array_equal(back, array.astype(np.float32))
    with uploading((np.array([[0, 2**14, -(2**15)]] * 2, np.int16).T, 8_000), None) as (_, sound):
        np.testing.assert_array_equal(soundfile.read(sound)[0], [[0, 0], [0.5, 0.5], [-1, -1]])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nowhere.wav", "nowhere.wav: no such file"),
        (b"", "<bytes>: the file is empty"),
        (np.zeros(9), "an array needs its sample rate beside it"),
        ((np.zeros(9), 0), "<array>: "),
        ((np.zeros(0), 8_000), "<array>: "),
        ("https://a.example/b.wav", "a web address"),
    ],
)
def test_what_cannot_be_sent_is_named(source, told):
    with pytest.raises(AudioError, match=told), uploading(source, None):
        pass


EVENTS = (
    ': nothing yet\n\nid: 3\nevent: state\ndata: {"state": "running"}\n\n'
    'id: 4\nevent: progress\ndata: {"done":\ndata: 1}\n\nretry: 5\n\nid: 5\ndata: "x"'
)


def test_server_sent_events_are_read():
    def answer(request):
        assert request.headers["Last-Event-ID"] == "2"
        return httpx.Response(200, text=EVENTS)

    found = list(connected(answer).events("/v1/jobs/a/events", "2"))
    assert found == [("3", "state", {"state": "running"}), ("4", "progress", {"done": 1})]


def test_records_of_another_version_are_refused():
    found = connected(lambda request: OK)
    for rows in ([{"caption": "a"}], [{"new": 1}], ["a"], 3):
        with pytest.raises(ServiceError, match="records that this version does not know"):
            found.captions(rows, "a.wav")
