"""Replies meant to harm: each ends in one line, soon, in little memory, and the key stays here."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable

import pytest

from auricle.errors import ProviderError
from auricle.llm import client as client_module
from auricle.llm.client import Client, ClientConfig, GivenUp
from auricle.llm.completion import LONGEST_ANSWER, Answer
from auricle.llm.cost import TokenCount, billed
from tests.helpers.hostile_server import HostileServer, completion, endless, head

pytest.importorskip("openai", reason="needs openai: pip install 'auricle[mixup]'")

KEY = "sk-test-never-to-be-seen-1234567890"
CHAT = [{"role": "user", "content": "A dog\nRain"}]
MB = 1 << 20


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.02)


def ask(server: HostileServer, tries: int = 1, times: int = 1) -> Answer:
    """The last answer of so many."""

    async def run() -> Answer:
        config = ClientConfig("m", server.base_url, timeout_s=1.0, tries=tries)
        async with Client(config) as client:
            for _ in range(times):
                answer = await client.answer(CHAT)
            return answer

    return asyncio.run(run())


def endless_chunk() -> Iterable[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n"
    yield from itertools.repeat(b"x" * MB)


def endless_head() -> Iterable[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Long: "
    yield from itertools.repeat(b"x" * MB)


def many_headers() -> Iterable[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    yield from itertools.repeat(b"X-More: and more\r\n" * 60_000)


def bomb() -> Iterable[bytes]:
    yield head(Content_Type="application/json", Content_Encoding="gzip")
    packer = zlib.compressobj(1, wbits=31)
    yield b"".join(packer.compress(bytes(MB)) for _ in range(200)) + packer.flush()


def drip() -> Iterable[bytes]:
    yield head(Content_Type="application/json")
    for letter in itertools.cycle(b"  "):
        time.sleep(0.05)
        yield bytes([letter])


def interim() -> Iterable[bytes]:
    yield from itertools.repeat(b"HTTP/1.1 102 Processing\r\n\r\n")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (endless, "a reply of more than 1 MB"),
        (endless_chunk, "a reply of more than 1 MB"),
        (lambda: endless("500 Error"), "a reply of more than 1 MB"),
        (lambda: endless("200 OK", b"[" * 10_000), "a reply of more than 1 MB"),
        (endless_head, "connection lost"),
        (many_headers, "connection lost"),
        (bomb, "a compressed reply, which was not asked for"),
        (drip, "no answer in 1 s"),
        (interim, "no answer in 1 s"),
    ],
)
def test_what_does_not_end_is_not_read(reply, reason):
    tracemalloc.start()
    try:
        with HostileServer(reply) as server:
            before, _ = tracemalloc.get_traced_memory()
            start_s = time.monotonic()
            with pytest.raises(GivenUp, match=reason):
                ask(server)
            assert time.monotonic() - start_s < 3
            assert tracemalloc.get_traced_memory()[1] - before < 20 * MB
    finally:
        tracemalloc.stop()


def test_a_reply_that_is_too_long_is_not_asked_for_again():
    with HostileServer(endless) as server:
        with pytest.raises(GivenUp):
            ask(server, tries=4)
        assert len(server.requests) == 1


def plain(body: bytes, kind: str = "application/json") -> Callable[[], Iterable[bytes]]:
    return lambda: [head(Content_Type=kind), body]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (completion("x" * (LONGEST_ANSWER + 1)), "an answer of more than 4,000 characters"),
        (completion(["A dog barks"]), "no chat completion"),
        (completion(7), "no chat completion"),
        (completion({"text": "A dog"}), "no chat completion"),
        (b"[" * 100_000, "no chat completion"),
        (b'{"choices": ' * 3_000 + b"1" + b"}" * 3_000, "no chat completion"),
        (b'{"choices": [{"message": "A dog barks"}]}', "no chat completion"),
        (b'{"choices": NaN}', "no chat completion"),
        (b'{"choices": ' + b"9" * 5_000 + b"}", "no chat completion"),
        (b"\xff\xfe\x00\xd8", "no chat completion"),
        (b"data: {}\n\n", "no chat completion"),
    ],
)
def test_what_is_no_answer_is_none(body, reason):
    with HostileServer(plain(body)) as server, pytest.raises(GivenUp, match=reason):
        ask(server)


def test_errors_of_many_levels_are_refusals():
    nested = b'{"error": ' * 900 + b"1" + b"}" * 900
    with HostileServer(lambda: [head("500 Error"), nested]) as server, pytest.raises(GivenUp):
        ask(server)


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/event-stream", "x\x7f"])
def test_the_content_type_decides_nothing(kind):
    with HostileServer(plain(completion("A dog barks"), kind)) as server:
        assert ask(server) == Answer("A dog barks")


@pytest.mark.parametrize(
    "count", [-5, 10**9, 10**300, "40", True, None, [], 1.5, float("nan"), float("inf")]
)
def test_counts_that_cannot_be_are_none(count):
    usage = {"prompt_tokens": count, "completion_tokens": count}
    with HostileServer(plain(completion("A dog barks", usage=usage))) as server:
        answer = ask(server)
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)
    assert billed(answer, CHAT) == TokenCount(8 + 10 / 4, 11 / 4)
    with HostileServer(plain(completion("A dog barks", usage=[count]))) as server:
        assert ask(server).prompt_tokens is None


def test_thoughts_are_no_part_of_an_answer():
    thought = "Let me see. " * 1_000
    for text in (f"<think>{thought}</think>\nA dog barks", f"{thought}</think>A dog barks"):
        with HostileServer(plain(completion(text))) as server:
            assert ask(server).text.strip() == "A dog barks"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Again", "308 Moved"])
def test_a_redirect_is_named_and_not_followed(status):
    with HostileServer(plain(completion("A dog barks"))) as other:
        target = f"{other.base_url}/chat/completions"
        with (
            HostileServer(lambda: [head(status, Location=target)]) as server,
            pytest.raises(ProviderError) as error,
        ):
            ask(server, tries=3)
        assert other.requests == []
    assert str(error.value) == (
        f"{server.base_url}: redirects to {other.base_url}; redirects are not followed: if you"
        " trust that server, give its address to --base-url"
    )
    assert len(server.requests) == 1


def test_addresses_of_redirects_are_shown_safely():
    for target in (
        "/elsewhere",
        f"http://evil/{KEY}",
        "//[",
        "javascript:1",
        "http://x/" + "y" * 5000,
    ):
        reply = [head("307 Again", Location=target)]
        with (
            HostileServer(lambda reply=reply: reply) as server,
            pytest.raises((ProviderError, GivenUp)) as error,
        ):
            ask(server)
        assert len(str(error.value)) < 500
        assert KEY not in str(error.value)


def test_what_a_server_says_is_one_harmless_line():
    evil = f"\x1b[2J\x1b]0;owned\x07 a\r\nb \u202e {KEY[:9]}\x00{KEY[9:]} " + "z" * 5_000
    body = json.dumps({"error": {"message": evil}}).encode()
    with (
        HostileServer(lambda: [head("401 \x1b[31mNo"), body]) as server,
        pytest.raises(ProviderError) as error,
    ):
        ask(server)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("pause", "seconds"),
    [
        ("1e308", 9e307),
        ("inf", 9e307),
        ("nan", 0),
        ("-5", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1e10),
    ],
)
def test_pauses_that_cannot_be(pause, seconds):
    reply = [head("429 Slower", Retry_After=pause)]
    with (
        HostileServer(lambda: reply) as server,
        pytest.raises((ProviderError, GivenUp)) as error,
    ):
        ask(server, tries=2)
    assert ("asks for a pause" in str(error.value)) == (seconds > 0)
    assert len(str(error.value)) < 300


def test_cookies_are_not_kept():
    first = head(Set_Cookie="track=me; Path=/", Content_Type="application/json")
    with HostileServer(lambda: [first, completion("A dog barks")]) as server:
        ask(server, times=2)
    assert len(server.requests) == 2
    assert not any(b"track" in request for request in server.requests)
