"""The routes of jobs, as a client meets them."""

import asyncio
import json
import re

import httpx
import pytest
import soundfile

from auricle.serve.app import create_app
from auricle.serve.config import ServiceConfig
from auricle.serve.jobs.routes import JobStatus, JobWithResult
from auricle.serve.problems import ProblemBody
from auricle.serve.service import Service
from tests.helpers.paths import EXAMPLES
from tests.helpers.sounds import tone
from tests.helpers.stub_captioner import StubCaptioner
from tests.helpers.stub_service import stub_service


class Client:
    """Requests to an application in this process, one after the other."""

    def __init__(self, app):
        self.app = app

    def __call__(self, method, path, **given):
        async def send():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1", timeout=20
            ) as client:
                return await client.request(method, path, **given)

        return asyncio.run(send())

    def order(self, path, **fields):
        with path.open("rb") as file:
            return self("POST", "/v1/jobs", files={"file": (path.name, file)}, data=fields)

    def events(self, job_id, after=None):
        """Of a job's stream: (number, kind, value) each, to its end."""
        headers = {"Last-Event-ID": after} if after is not None else {}
        answer = self("GET", f"/v1/jobs/{job_id}/events", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        found = []
        for block in answer.text.removesuffix("\n\n").split("\n\n"):
            lines = re.fullmatch(r"id: (\d+)\nevent: (\w+)\ndata: (.+)", block)
            found.append((int(lines[1]), lines[2], json.loads(lines[3])))
        return found


@pytest.fixture
def sound(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(5.0), 16_000)
    return tmp_path / "a.wav"


@pytest.fixture
def client(tmp_path):
    with stub_service(tmp_path / "data", max_jobs=3) as service:
        yield Client(create_app(service))


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setattr(StubCaptioner, "pause_s", 0.3)


def refused(answer, status, code):
    assert answer.status_code == status
    problem = ProblemBody.model_validate(answer.json()).error
    assert problem.code == code
    return problem


def test_a_job_is_ordered_followed_seen_and_erased(client, sound):
    answer = client.order(sound, task=["picture", "timeline"], model="tiny")
    assert answer.status_code == 202
    status = JobStatus.model_validate(answer.json())
    assert answer.headers["location"] == f"/v1/jobs/{status.id}"
    assert (status.audio, status.tasks, status.models) == (
        "a.wav",
        ["picture", "timeline"],
        ["tiny"],
    )
    events = client.events(status.id)
    kinds = [kind for _, kind, _ in events if kind != "progress"]
    assert kinds == ["state"] * 3 + ["picture", *["timeline"] * 2, "end"]
    seen = client("GET", answer.headers["location"])
    JobWithResult.model_validate_json(seen.text, strict=True)
    result = seen.json().pop("result")
    assert {**events[-1][2], "result": result} == seen.json()
    assert result["timeline"] == [value for _, kind, value in events if kind == "timeline"]
    assert [result["picture"]] == [value for _, kind, value in events if kind == "picture"]
    assert client("DELETE", f"/v1/jobs/{status.id}").status_code == 204
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        refused(client(method, f"/v1/jobs/{status.id}{path}"), 404, "job_not_found")


def test_by_default_the_first_model_makes_a_timeline(client, sound):
    status = client.order(sound).json()
    assert (status["tasks"], status["models"]) == (["timeline"], ["tiny"])


def test_a_job_that_is_not_finished_is_cancelled_first(client, sound, slow):
    job_id = client.order(sound).json()["id"]
    cancelled = client("DELETE", f"/v1/jobs/{job_id}")
    assert cancelled.status_code == 200
    assert JobStatus.model_validate(cancelled.json()).state == "cancelled"
    assert client("GET", f"/v1/jobs/{job_id}").json()["state"] == "cancelled"
    assert client.events(job_id)[-1][1] == "end"
    assert client("DELETE", f"/v1/jobs/{job_id}").status_code == 204


def test_too_many_jobs_are_told_when_to_come_again(client, sound, slow):
    for _ in range(3):
        assert client.order(sound).status_code == 202
    answer = client.order(sound)
    refused(answer, 429, "too_many_jobs")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("fields", "status", "code", "param", "message"),
    [
        ({"task": "translate"}, 422, "invalid_setting", "task.0", "'caption', 'timeline'"),
        ({"model": ["tiny", "huge"]}, 404, "model_not_found", "model", "tiny, other"),
        ({"task": "timeline", "words": "true"}, 422, "invalid_setting", "words", "task=caption"),
        ({"sensitivity": "2"}, 422, "invalid_setting", None, "sensitivity"),
        ({"colour": "red"}, 422, "invalid_setting", "colour", "no such field"),
        ({"min-length": "40"}, 422, "invalid_setting", None, "min_length"),
    ],
)
def test_wrong_fields_are_refused_at_once(client, sound, fields, status, code, param, message):
    problem = refused(client.order(sound, **fields), status, code)
    assert message in problem.message
    assert problem.param == param


def test_a_request_without_a_file_is_refused(client):
    refused(client("POST", "/v1/jobs", data={"task": "caption"}), 422, "invalid_setting")


def test_letters_that_no_text_may_hold(client, sound):
    """A client may name any encoding of its fields, also Python's own."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="\\udc80.wav"\r\n\r\n%s\r\n'
        b'--x\r\nContent-Disposition: form-data; name="forbid"\r\n\r\n\\udc80\r\n--x--\r\n'
    ) % sound.read_bytes()
    kind = "multipart/form-data; boundary=x; charset=unicode_escape"
    answer = client("POST", "/v1/jobs", content=body, headers={"Content-Type": kind})
    problem = refused(answer, 422, "invalid_setting")
    assert "no letter; send it as UTF-8" in problem.message
    assert problem.param == "forbid.0"


@pytest.mark.parametrize("job_id", ["x", "..%5C..%5Cjobs.sqlite", "%00", "비", "a" * 5000, "%ff"])
def test_unknown_ids(client, job_id):
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        refused(client(method, f"/v1/jobs/{job_id}{path}"), 404, "job_not_found")


def test_a_client_continues_after_the_number_that_it_names(client, sound):
    job_id = client.order(sound, task="timeline").json()["id"]
    assert client.events(job_id)[-1][1] == "end"
    every = client.events(job_id)  # without the progress, which is over
    numbers = [number for number, _, _ in every]
    assert client.events(job_id, str(numbers[2])) == every[3:]
    for number in (numbers[-1], 10**18, 2**63 - 1, 10**19 - 1):  # a browser then stops to ask
        answer = client("GET", f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(number)})
        assert (answer.status_code, answer.text) == (204, "")
    for text in ("", "x", "-1", "1.5", "9" * 5000, "²"):
        headers = {b"Last-Event-ID": text.encode()}
        answer = client("GET", f"/v1/jobs/{job_id}/events", headers=headers)
        assert answer.text.count("event: ") == len(every)


def test_the_description_of_the_service_has_the_jobs(client):
    told = client("GET", "/openapi.json").json()
    order = told["paths"]["/v1/jobs"]["post"]
    assert {"202", "404", "413", "422", "429", "503"} <= set(order["responses"])
    assert "Location" in order["responses"]["202"]["headers"]
    form = told["components"]["schemas"]["JobForm"]["properties"]
    assert {"file", "task", "model", "words", "decode", "candidates", "seed", "hop"} <= set(form)
    assert form["model"]["type"] == "array"
    see, end = (told["paths"]["/v1/jobs/{job_id}"][method] for method in ("get", "delete"))
    (answer,) = see["responses"]["200"]["content"].values()
    assert answer["schema"]["$ref"].endswith("/JobWithResult")
    assert {"200", "204", "404"} <= set(end["responses"])
    follow = told["paths"]["/v1/jobs/{job_id}/events"]["get"]
    assert list(follow["responses"]["200"]["content"]) == ["text/event-stream"]
    example = told["components"]["schemas"]["JobStatus"]["examples"][0]
    JobStatus.model_validate(dict.fromkeys(JobStatus.model_fields) | example)


def test_the_embedded_model_does_all_tasks(tiny, tmp_path):
    """The records are those of the library."""
    path = EXAMPLES / "rain-and-thunder.ogg"
    fields = {"task": ["picture", "caption", "timeline"], "words": "true", "candidates": "4"}
    with Service({"tiny": tiny}, ServiceConfig(data=tmp_path)) as service:
        client = Client(create_app(service))
        job_id = client.order(path, seed="3", **fields).json()["id"]
        assert client.events(job_id)[-1][2]["error"] is None
        result = client("GET", f"/v1/jobs/{job_id}").json()["result"]
    (record,) = tiny.caption([path], candidates=4, seed=3)
    assert result["captions"] == [record.to_dict() | {"audio": path.name}]
    timed = tiny.timeline(path, candidates=4, seed=3)
    assert result["timeline"] == [one.to_dict() | {"audio": path.name} for one in timed]
    (words,) = result["words"]
    assert words["words"] == record.caption.split()
    assert [len(words["weights"]), words["model"]] == [len(words["words"]), "tiny"]
    assert result["picture"]["spectrogram"]["rows"] == 64


def test_silence_has_a_note_in_place_of_words(tiny, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(2.0) * 0, 16_000)
    with Service({"tiny": tiny}, ServiceConfig(data=tmp_path / "data")) as service:
        client = Client(create_app(service))
        job_id = client.order(tmp_path / "a.wav", task="caption", words="true").json()["id"]
        assert client.events(job_id)[-1][2]["state"] == "done"
        result = client("GET", f"/v1/jobs/{job_id}").json()["result"]
    assert (len(result["captions"]), result["words"]) == (1, [])
    assert result["notes"] == [
        "a.wav: has no words over time: its start is silent, or cannot be read again"
    ]
