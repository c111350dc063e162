"""Requests to the service: forms with uploads, chats and searches, whose text is damaged.

An input is a request as it comes over the wire, without a server before the application: what a
server makes of the bytes before is another project's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote

from auricle.serve import sounds as sounds_module
from auricle.serve.app import create_app
from auricle.serve.config import ServiceConfig
from auricle.serve.service import Service
from auricle.serve.sounds import Sounds
from tests.fuzz import audio
from tests.fuzz.damage import MOST_BYTES, damaged
from tests.fuzz.reader import Reader
from tests.fuzz.table_damage import EXTREMES
from tests.helpers.models import captioner_of, make_bundle
from tests.helpers.recordings import recording
from tests.helpers.toy_library import ToyLibrary, described, make_index, write_sound

FIELDS = {  # names of forms' fields -> values that may be right
    "model": ("tiny", "other", "gpt-4o"),
    "decode": ("nucleus", "greedy", "beam"),
    "candidates": ("2", "3"),
    "temperature": ("0.7", "0"),
    "top_p": ("0.9",),
    "top-k": ("5",),
    "max_length": ("8",),
    "min_length": ("2",),
    "no_repeat_ngram": ("0", "3"),
    "forbid": ("dog", "삐"),
    "fluency": ("off", "own"),
    "seed": ("0", "7"),
    "min_confidence": ("0.1",),
    "format": ("json", "jsonl", "text", "csv", "table", "srt", "vtt", "textgrid", "eaf"),
    "max_duration": ("0.5",),
    "explain": ("true",),
    "min_duration": ("0.2",),
    "sensitivity": ("0.5",),
    "hop": ("1",),
    "profile": ("sdh", "plain"),
    "preset": ("bbc",),
    "case": ("upper",),
    "frame_rate": ("25",),
    "cue_duration": ("2",),
    "response_format": ("srt", "verbose_json", "json"),
    "stream": ("true",),
    "timestamp_granularities[]": ("segment",),
    "task": ("caption", "picture"),
    "words": ("true",),
    "text": ("rain without wind", '"gate" AND (', "삐"),
    "exclude": ("music",),
    "like": ("1", "2"),
    "limit": ("5",),
    "folder": ("sounds", "sounds/night"),
}
WRONG = (
    *("", "-1", "nan", "inf", "1e308", "9" * 400, "x" * 5000, "\0", "\ud800", "null", "[]", "0x1"),
    *("../..", "\u202e", '"', "a\r\nb", "true", "0.0000001", "٣", "1" * 5000, "*", "NEAR(", "a*"),
)
FORMS = ("captions", "timeline", "audio/transcriptions", "search", "jobs")
BODIES = ("chat/completions", "search")
PATHS = (
    *("/v1/models/x", "/v1/models/%00", "/v1/models/..%2f", "/v1/jobs/x", "/v1/jobs/%ff/events"),
    *("/v1/sounds/0", "/v1/sounds/9" + "9" * 30, "/v1/sounds/1/audio", "/v1/sounds/1/preview"),
    *("/static/../app.py", "/static/x", "/", "/healthz", "/metrics", "/openapi.json", "/v1/index"),
)
HEADS = (
    *("Range: bytes=0-", "Range: bytes=9999999-", "Content-Length: 5", "Content-Length: -1"),
    *("Last-Event-ID: ²", "Last-Event-ID: -1", "Host: evil", "Host: [::1", "Origin: http://x"),
    *("Authorization: Bearer \xff", "Content-Type: application/json; charset=x", "Host: a]b["),
    *("Transfer-Encoding: chunked", "Content-Encoding: gzip", "Expect: 100-continue", "X: \xff"),
    *("Origin: http://[", "Accept: \0", "Content-Type:", "Content-Type: multipart/form-data"),
)
PARTS = (  # heads of the parts of a form
    *('name="file"; filename="{}"', "name=file", "name=\"file\"; filename*=utf-8''%ff", ""),
    *('name="{}"', "filename=x", 'name="_charset_"', 'name="seed"; name="model"'),
)
NAMES = (
    "a.wav",
    "../../etc/passwd",
    "a\0b",
    "x" * 5000,
    "",
    "삐.wav",
    "C:\\a\\b.wav",
    "\u202ewav.",
)


def write(random: Random, folder: Path) -> Path:
    kind = random.random()
    if kind < 0.6:
        path, heads, body = _form(random)
    elif kind < 0.9:
        path, heads, body = _json(random)
    else:
        path, heads, body = random.choice(PATHS), [], b""
    method = random.choice(("GET", "GET", "DELETE", "HEAD", "PUT")) if not body else "POST"
    if random.random() < 0.15:
        heads.append(random.choice(HEADS))
    if random.random() < 0.25 and body:
        body = damaged(random, body, recording_of(random)[1])
    lines = [f"{method} {path}", *heads]
    file = folder / "request"
    head = "\n".join(lines).encode("latin-1", "replace")
    file.write_bytes(head + b"\n\n" + body)
    return file


def recording_of(random: Random) -> tuple[str, bytes]:
    """Often a good one, so that its form is read to the end."""
    if random.random() < 0.5:
        return "a.wav", _sound()
    name, content = audio.content(random)
    return f"a.{name}", content


@cache
def _sound() -> bytes:
    return recording("wav", 0.4)


def _form(random: Random) -> tuple[str, list[str], bytes]:
    boundary = random.choice(("b", "b", "b", "-" * 70, "x" * 300, "", "a b"))
    parts = []
    name, content = recording_of(random)
    if random.random() < 0.9:
        name = random.choice(NAMES) if random.random() < 0.2 else name
        parts.append((f'name="file"; filename="{name}"', content))
    for field in random.sample(list(FIELDS), random.choice((0, 1, 1, 2, 4))):
        value = random.choice(FIELDS[field] if random.random() < 0.6 else WRONG)
        parts.append((f'name="{field}"', value.encode("utf-8", "surrogatepass")))
    if random.random() < 0.15:
        head = random.choice(PARTS).replace("{}", random.choice(NAMES))
        parts.insert(0, (head, random.choice(WRONG).encode("utf-8", "surrogatepass")))
    if random.random() < 0.05:
        parts *= random.choice((2, 70, 1100))
    mark = b"--" + boundary.encode()
    body = b"".join(
        mark + b"\r\nContent-Disposition: form-data; " + head.encode("utf-8", "surrogatepass")
        + b"\r\n\r\n" + value + b"\r\n"
        for head, value in parts
    )  # fmt: skip
    type_ = f"Content-Type: multipart/form-data; boundary={boundary}"
    body = body[:MOST_BYTES] + mark + b"--\r\n"
    return f"/v1/{random.choice(FORMS)}", [type_], body


def _json(random: Random) -> tuple[str, list[str], bytes]:
    route = random.choice(BODIES)
    if route == "search":
        value: dict[str, Any] = {"text": "rain", "exclude": ["music"], "limit": 3}
        value["folder"] = random.choice(FIELDS["folder"])
    else:
        data = base64.b64encode(recording_of(random)[1]).decode()
        data = random.choice((data, data, f"data:audio/wav;base64,{data}", data[:-3], "@@", ""))
        sound = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
        text = {"type": "text", "text": "what is it?"}
        value = {
            "model": random.choice(("tiny", "gpt-4o", "x")),
            "messages": [{"role": "user", "content": [text, sound]}],
            "n": random.choice((1, 2, 200)),
            "stream": random.random() < 0.3,
            "max_tokens": random.choice((1, 5, 100)),
            "stream_options": {"include_usage": True},
            "seed": 3,
        }
    spots = list(_spots(value))
    for _ in range(random.choice((0, 1, 1, 2))):
        where, key = random.choice(spots)
        where[key] = "@"
    text = json.dumps(value)
    while '"@"' in text:
        text = text.replace('"@"', random.choice(EXTREMES), 1)
    return f"/v1/{route}", ["Content-Type: application/json"], text.encode("utf-8", "surrogatepass")


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _spots(inner)


@cache
def _service() -> tuple[Callable[..., Any], asyncio.Runner]:
    """The application with small models and an index, and the loop that it runs in."""
    home = Path(tempfile.mkdtemp(prefix="auricle-fuzz-service-"))
    sound = write_sound(home / "sounds" / "gate.wav", 1.0)
    make_index(home / "index", [home / "sounds"], {sound: [described("a gate creaks", 0.0, 1.0)]})
    sounds_module.Library = ToyLibrary  # type: ignore[misc]  # whose texts need no model
    captioner = captioner_of(make_bundle(0))
    config = ServiceConfig(data=home / "data", port=0, max_upload_mb=3.0, max_jobs=2, max_files=4)
    sounds = Sounds(home / "index")
    sounds.__enter__()
    service = Service({"tiny": captioner, "other": captioner}, config, sounds)
    service.__enter__()
    return create_app(service), asyncio.Runner()


def read(path: Path) -> None:
    head, _, body = path.read_bytes().partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    method, _, target = first.partition(" ")
    app, runner = _service()
    status, headers, answer = runner.run(_asked(app, method, target, lines, body))
    assert 200 <= status < 500, (status, answer[:300])
    if status >= 400 and method != "HEAD":
        error = json.loads(answer)["error"]
        assert error["message"]
        assert error["code"]
        assert len(error["message"]) < 3000, error["message"][:100]
        assert "\n" not in error["message"], error["message"][:300]
        assert headers[b"x-content-type-options"] == b"nosniff"


async def _asked(
    app: Callable[..., Any], method: str, target: str, lines: list[str], body: bytes
) -> tuple[int, dict[bytes, bytes], bytes]:
    given = [line.partition(":") for line in lines]
    named = {name.lower().encode("latin-1") for name, _, _ in given}
    headers = [(n.lower().encode("latin-1"), v.strip().encode("latin-1")) for n, _, v in given]
    if b"host" not in named:
        headers.append((b"host", b"127.0.0.1"))
    pieces = [body[n : n + 65536] for n in range(0, len(body), 65536)] or [b""]
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not pieces:
            await asyncio.sleep(3600)
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(target),
        "raw_path": target.encode("latin-1"),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    start, *rest = answers
    assert start["type"] == "http.response.start"
    return start["status"], dict(start["headers"]), b"".join(one["body"] for one in rest)


READER = Reader(write, read, named=False)
