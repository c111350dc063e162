"""The guard: sizes, patience, keys, hosts and headers, whatever is asked."""

from __future__ import annotations

import contextlib
import socket
import time

import httpx
import pytest

from auricle.serve.service import Service
from tests.helpers.requests import error_of, files
from tests.helpers.service import serving

KEY = "a-key-of-this-service"


def test_a_request_that_is_too_large_is_refused(client, service):
    large = {"file": ("a.wav", b"\0" * 3_000_000)}
    told = client.post("/v1/captions", files=large)
    assert (told.status_code, error_of(told)["code"]) == (413, "request_too_large")
    # without its length in the header
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    counted = client.post(
        "/v1/captions",
        content=iter([head, *[b"\0" * 100_000] * 40]),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert (counted.status_code, error_of(counted)["code"]) == (413, "request_too_large")
    assert list(service.folder.iterdir()) == []


def test_small_answers_are_not_delayed(client):
    client.get("/healthz")
    begun = time.monotonic()
    for _ in range(20):
        client.get("/healthz")
    assert time.monotonic() - begun < 20 * 0.04  # the delay of Nagle's algorithm


def test_every_answer_has_headers_of_security(client):
    for path in ("/healthz", "/nothing"):
        found = client.get(path).headers
        assert "script-src 'self'" in found["content-security-policy"]
        assert "unsafe" not in found["content-security-policy"]
        assert found["x-content-type-options"] == "nosniff"
        assert found["cache-control"] == "no-store"
        assert found["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in found
        assert "server" not in found


def test_names_that_point_here_and_pages_of_other_sites_are_refused(client, write_tone):
    rebound = client.get("/v1/models", headers={"Host": "evil.example"})
    assert (rebound.status_code, error_of(rebound)["code"]) == (403, "wrong_host")
    foreign = client.post(
        "/v1/captions",
        files=files(write_tone("a.wav")),
        headers={"Origin": "https://evil.example"},
    )
    assert (foreign.status_code, error_of(foreign)["code"]) == (403, "foreign_page")
    own = str(client.base_url).removeprefix("http://").rstrip("/")
    same = client.post(
        "/v1/captions",
        files=files(write_tone("a.wav")),
        headers={"Origin": f"http://{own}"},
    )
    assert same.status_code == 200


@pytest.mark.parametrize("host", ["[::1", "a]b[", "[x]", "[]", "[::1%25]:99999", "\xff"])
def test_a_host_that_is_none_is_refused(client, host):
    answer = client.get("/v1/limits", headers={b"Host": host.encode("latin-1")})
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize("origin", ["null", "http://[", "http://[x]", "file://", "\xff"])
def test_an_origin_that_is_no_address_is_another_site(client, origin):
    headers = {b"Origin": origin.encode("latin-1")}
    answer = client.post("/v1/captions", headers=headers)
    assert (answer.status_code, error_of(answer)["code"]) == (403, "foreign_page")


def test_a_proxy_may_have_a_name_of_its_own(captioner, write_tone):
    origin = {"Origin": "https://sounds.example"}
    with serving({"debug": captioner}, hosts=("sounds.example",)) as (url, _):
        sound = files(write_tone("a.wav"))
        assert httpx.post(f"{url}/v1/captions", files=sound, headers=origin).status_code == 200
        other = {"Origin": "https://evil.example"}
        assert httpx.post(f"{url}/v1/captions", files=sound, headers=other).status_code == 403
        named = {"Host": "sounds.example"}
        assert httpx.get(f"{url}/v1/models", headers=named).status_code == 200


def test_a_key_guards_all_but_health_and_page(captioner):
    with serving({"debug": captioner}, api_keys=("another-long-key-here", KEY)) as (url, _):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}):
            answer = httpx.get(f"{url}/v1/models", headers=headers)
            assert (answer.status_code, error_of(answer)["code"]) == (401, "invalid_api_key")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        for path in ("/metrics", "/openapi.json", "/nothing"):
            assert httpx.get(url + path).status_code == 401
        assert httpx.get(f"{url}/healthz").status_code == 200
        right = httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {KEY}"})
        assert right.status_code == 200


def test_an_unexpected_error_tells_nothing_of_the_inside(captioner, write_tone, monkeypatch):
    def fail(*_, **__):
        raise KeyError("secret of the inside")

    with serving({"debug": captioner}) as (url, _):
        monkeypatch.setattr(Service, "captions", fail)
        answer = httpx.post(f"{url}/v1/captions", files=files(write_tone("a.wav")))
    assert (answer.status_code, error_of(answer)["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


def talk(service_url: httpx.URL, *pieces: bytes, wait_s: float = 3.0) -> bytes:
    """What a server answers to bytes, until it closes."""
    with socket.create_connection((service_url.host, service_url.port), 5) as connection:
        with contextlib.suppress(ConnectionError):  # it may be closed before all is sent
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.1)
        connection.settimeout(wait_s)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def test_a_header_that_does_not_come_is_not_waited_for(client):
    begun = time.monotonic()
    assert talk(client.base_url, b"POST /v1/captions HTTP/1.1\r\nHost: 127.0.0.1\r\n") == b""
    assert talk(client.base_url, b"") == b""
    assert time.monotonic() - begun < 4
    # nor the second one of a connection
    first = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert talk(client.base_url, first, b"GET /he").startswith(b"HTTP/1.1 200")


def test_a_body_that_does_not_come_is_not_waited_for(client):
    head = (
        b"POST /v1/captions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
    )
    assert talk(client.base_url, head).startswith(b"HTTP/1.1 408")
    begun = time.monotonic()  # nor one that comes byte by byte
    part = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    assert talk(client.base_url, head + part, *[b"a"] * 20).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - begun < 6
    assert client.get("/healthz").status_code == 200


def test_a_connection_that_is_cut_leaves_nothing(client, service, write_tone):
    body = write_tone("a.wav").read_bytes()
    head = (
        b"POST /v1/captions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' % (len(body) + 999)
    )
    with socket.create_connection((client.base_url.host, client.base_url.port), 5) as connection:
        connection.sendall(head + body)
    time.sleep(0.2)
    assert client.get("/healthz").status_code == 200
    assert list(service.folder.iterdir()) == []
    assert service.metrics.in_work._value.get() == 0
