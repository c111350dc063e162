"""The header Range of players that ask for a part of a file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

from auricle.serve.ranges import file_answer
from tests.fuzz.reader import Reader

CONTENT = bytes(range(256)) * 4
NUMBERS = ("", "0", "1", "10", "1023", "1024", "1025", "-1", "+1", "1_0", "0x1", "٣", "²", " 5 ")
NUMBERS += ("9" * 18, "9" * 19, "9" * 5000, "1.5", "\0", "\n", "\ud800")
UNITS = ("bytes", "Bytes", " bytes ", "items", "", "bytes\n", "bytes=0-1,bytes")
BETWEEN = ("-", "--", " - ", "–", ",", "", "-0-", "\t-")


def write(random: Random, folder: Path) -> Path:
    text = random.choice(UNITS) + random.choice(("=", " = ", "", "==", ":"))
    text += random.choice(NUMBERS) + random.choice(BETWEEN) + random.choice(NUMBERS)
    if random.random() < 0.2:
        at = random.randint(0, len(text))
        text = text[:at] + random.choice(("=", "-", ",", " ", "0", "\r\n")) + text[at:]
    path = folder / "range"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def read(path: Path) -> None:
    file = path.with_name("a.wav")
    file.write_bytes(CONTENT)
    wanted = path.read_bytes().decode("latin-1")  # as servers give headers
    answer = file_answer(file, 'a"\r\n.wav', wanted, download=True)
    body = asyncio.run(_body(answer))
    assert int(answer.headers["Content-Length"]) == len(body)
    if answer.status_code == 200:
        assert body == CONTENT
        return
    assert answer.status_code == 206
    span = answer.headers["Content-Range"].removeprefix("bytes ").partition("/")[0]
    begin, end = map(int, span.split("-"))
    assert body == CONTENT[begin : end + 1]
    assert body


async def _body(answer: object) -> bytes:
    return b"".join([bytes(chunk) async for chunk in answer.body_iterator])  # type: ignore[attr-defined]


READER = Reader(write, read, named=False)
