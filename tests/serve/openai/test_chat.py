"""Chats by OpenAI's own client: recordings in, captions out."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from auricle.serve.openai import bodies
from auricle.serve.openai.chat import decoded
from auricle.serve.openai.shapes import pieces
from auricle.serve.problems import RequestError
from tests.helpers.paths import EXAMPLES
from tests.serve.openai.conftest import KEY

BELLS = EXAMPLES / "church-bells.ogg"


def sound(content: bytes, head: str = "") -> dict:
    data = head + base64.b64encode(content).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": "ogg"}}


def user(*parts) -> dict:
    return {"role": "user", "content": list(parts)}


def ask(served, *parts, **given):
    messages = [{"role": "system", "content": "You hear."}, user(*parts)]
    return served.openai.chat.completions.create(
        **{"model": "tiny", "messages": messages, "seed": 2, **given}
    )


def test_a_recording_has_the_caption_of_the_own_interface(served, two_sounds):
    (record,) = served.own(two_sounds, seed=2).json()
    text = {"type": "text", "text": "What is said?"}
    for head in ("", "data:audio/ogg;base64,", "data:;base64,"):
        found = ask(served, text, sound(two_sounds.read_bytes(), head))
        (choice,) = found.choices
        assert choice.message.content == record["caption"]
        assert (choice.finish_reason, choice.message.role) == ("stop", "assistant")
    tokens = served.service.captioner().scorers[0].tokenizer.encode(record["caption"])
    assert found.usage.completion_tokens == found.usage.total_tokens == len(tokens)
    assert (found.usage.prompt_tokens, found.model) == (0, "tiny")


def test_choices_are_distinct_candidates_best_first(served, two_sounds):
    (record,) = served.own(two_sounds, seed=2).json()
    texts = [one["text"] for one in record["candidates"]]
    texts = [record["caption"], *(text for text in texts if text != record["caption"])]
    found = ask(served, sound(two_sounds.read_bytes()), n=3)
    assert [one.message.content for one in found.choices] == texts[:3]
    assert [one.index for one in found.choices] == [0, 1, 2]
    assert len(ask(served, sound(two_sounds.read_bytes()), n=128).choices) == len(texts)


def test_recordings_of_the_last_message_of_the_user_have_a_line_each(served, two_sounds):
    captions = [served.own(path, seed=2).json()[0]["caption"] for path in (two_sounds, BELLS)]
    parts = [sound(path.read_bytes()) for path in (two_sounds, BELLS)]
    assert ask(served, *parts).choices[0].message.content == "\n".join(captions)
    answer = {"role": "assistant", "content": "a bell"}
    found = ask(served, messages=[user(parts[0]), answer, user(parts[1])])
    assert found.choices[0].message.content == captions[1]
    with pytest.raises(openai.APIStatusError) as raised:
        ask(served, *parts, parts[0])
    assert (raised.value.status_code, raised.value.code) == (413, "too_many_files")


def test_settings_are_those_of_captions(served, two_sounds):
    content = two_sounds.read_bytes()
    for given, fields in (
        ({"temperature": 1.5, "top_p": 0.9}, {"temperature": 1.5, "top_p": 0.9}),
        ({"temperature": 0, "max_tokens": 4096}, {}),
        ({"max_completion_tokens": 5}, {"max_length": 7}),
        ({"max_tokens": 2}, {"max_length": 4, "min_length": 3}),
        (
            {"extra_body": {"decode": "beam", "forbid": ["man"]}},
            {"decode": "beam", "forbid": "man"},
        ),
        ({"extra_body": {"seed": None, "stream": None, "unknown": 1}}, {"seed": 0}),
    ):
        (record,) = served.own(two_sounds, **{"seed": 2} | fields).json()
        (choice,) = ask(served, sound(content), **given).choices
        assert choice.message.content == record["caption"]
        assert choice.finish_reason == ("length" if fields.get("max_length") else "stop")


def test_a_stream_gives_the_words(served, two_sounds):
    content = two_sounds.read_bytes()
    whole = ask(served, sound(content), n=2)
    usage = {"include_usage": True}
    chunks = list(ask(served, sound(content), n=2, stream=True, stream_options=usage))
    for choice in whole.choices:
        parts = [c.choices[0] for c in chunks if c.choices and c.choices[0].index == choice.index]
        assert "".join(one.delta.content or "" for one in parts) == choice.message.content
        assert len(parts) == len(choice.message.content.split()) + 2
        assert parts[0].delta.role == "assistant"
        assert [one.finish_reason for one in parts] == [None] * (len(parts) - 1) + ["stop"]
    assert chunks[-1].usage == whole.usage
    assert all(one.usage is None for one in chunks[:-1])
    assert len({one.id for one in chunks}) == 1
    last = list(ask(served, sound(content), stream=True))[-1]
    assert last.choices[0].finish_reason == "stop"


def test_a_stream_ends_as_clients_expect(served, two_sounds):
    body = {"stream": True, "messages": [user(sound(two_sounds.read_bytes()))]}
    answer = post(served, json.dumps(body))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("given", "status", "code", "part"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, 400, "no_recording", "no recording"),
        ({"messages": []}, 400, "no_recording", "input_audio"),
        ({"messages": [user({"type": "text", "text": "a"})]}, 400, "no_recording", ""),
        ({"messages": [user(sound(b"no sound"))]}, 422, "unusable_recording", "recording 1.ogg: "),
        ({"messages": [user(sound(b""))]}, 422, "unusable_recording", "empty"),
        ({"messages": [user(sound(b"", "data:audio/ogg,"))]}, 400, "invalid_base64", "base64"),
        ({"messages": [user(sound(b"", "file:///etc/passwd"))]}, 400, "invalid_base64", "address"),
        ({"messages": [user({"input_audio": {}})]}, 422, "invalid_setting", "type: Field required"),
        ({"messages": 3}, 422, "invalid_setting", "messages: "),
        ({"modalities": ["text", "audio"]}, 422, "invalid_setting", 'give ["text"]'),
        ({"model": "llama"}, 404, "model_not_found", "tiny, other"),
        ({"temperature": -1}, 422, "invalid_setting", "temperature=-1.0"),
        ({"n": 0}, 422, "invalid_setting", "n: "),
        ({"seed": -1}, 422, "invalid_setting", "seed: "),
    ],
)
def test_errors_name_what_is_wrong(served, given, status, code, part):
    content = BELLS.read_bytes()
    with pytest.raises(openai.APIStatusError) as raised:
        ask(served, sound(content), **given)
    error = raised.value
    assert (error.status_code, error.code) == (status, code)
    assert part in error.message


def test_a_wrong_key(served):
    with pytest.raises(openai.AuthenticationError):
        served.openai.with_options(api_key="wrong").chat.completions.create(
            model="tiny", messages=[]
        )


def post(served, content, **headers) -> httpx.Response:
    return httpx.post(
        f"{served.url}/v1/chat/completions",
        content=content,
        headers={"Authorization": f"Bearer {KEY}", **headers},
        timeout=60,
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"a"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(served, content):
    answer = post(served, content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_setting")


def test_bodies_are_bounded_each_and_together(served, two_sounds, monkeypatch):
    body = json.dumps({"messages": [user(sound(two_sounds.read_bytes()))]})
    monkeypatch.setattr(bodies, "MOST_BYTES", len(body) - 1)
    found = post(served, body)
    assert (found.status_code, found.json()["error"]["code"]) == (413, "request_too_large")
    assert "/v1/audio/transcriptions" in found.json()["error"]["message"]
    found = post(served, iter([body[:99].encode()] * 2000))  # without its length in the header
    assert (found.status_code, found.json()["error"]["code"]) == (413, "request_too_large")
    monkeypatch.setattr(bodies, "MOST_BYTES", len(body))
    monkeypatch.setattr(bodies, "HELD_BYTES", 2 * len(body) - 2)
    half, go_on = threading.Event(), threading.Event()

    def slow():
        yield body[:-1].encode()
        half.set()
        go_on.wait(20)
        yield body[-1:].encode()

    answers = []
    thread = threading.Thread(target=lambda: answers.append(post(served, slow())))
    thread.start()
    half.wait(20)
    try:
        while (busy := post(served, body)).status_code == 200:  # the half may be on its way
            pass
        assert (busy.status_code, busy.json()["error"]["code"]) == (429, "too_busy")
        assert int(busy.headers["Retry-After"]) >= 1
    finally:
        go_on.set()
        thread.join(20)
    assert answers[0].status_code == 200
    assert post(served, body).status_code == 200  # nothing is held any more


def test_a_connection_that_is_cut_holds_nothing(served, two_sounds, monkeypatch, caplog):
    body = json.dumps({"messages": [user(sound(two_sounds.read_bytes()))]}).encode()
    monkeypatch.setattr(bodies, "HELD_BYTES", len(body))
    address = urlsplit(served.url)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), 5) as connection:
        connection.sendall(head.encode() + body[:-1])
    end_s = time.monotonic() + 10
    while post(served, body).status_code == 429:  # the end may be on its way
        assert time.monotonic() < end_s
    assert post(served, body).status_code == 200
    assert "unexpected" not in caplog.text


def test_the_request_is_described(served):
    headers = {"Authorization": f"Bearer {KEY}"}
    document = httpx.get(f"{served.url}/openapi.json", headers=headers).json()
    route = document["paths"]["/v1/chat/completions"]["post"]
    schema = route["requestBody"]["content"]["application/json"]["schema"]
    assert "$ref" not in json.dumps(schema)
    assert {"messages", "n", "seed", "max_tokens", "candidates"} <= schema["properties"].keys()
    assert "text/event-stream" in route["responses"]["200"]["content"]


def test_base64_is_decoded_strictly():
    assert decoded("aGV5") == decoded("aG\r\nV5\n") == decoded("data:a/b;c=d;base64,aGV5") == b"hey"
    for data in ("aGV5!", "aGV", "aGV5,", "http://a.example/b,c", "data:a/b,aGV5", "кот"):
        with pytest.raises(RequestError, match="no base64 of a recording"):
            decoded(data)


@pytest.mark.parametrize("text", ["", "a", "a dog  barks\nloud ", " a"])
def test_pieces_are_the_text(text):
    assert "".join(pieces(text)) == text
    assert len(pieces(text)) == len(text.split())
