"""Mutations of tables: values, cells, lines, bytes and encodings."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from typing import Any

# JSON texts, as they stand in a file
EXTREMES = [
    *"null true false [] {} 0 -1 -0.0 1e308 1e309 -1e308 1e-400 NaN Infinity -Infinity 7".split(),
    "9" * 400,
    "9" * 5000,
    f"-{'9' * 400}.5",
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 5000 + "1" + "}" * 5000,
    "[" * 900 + "]" * 900,
    '""',
    '" "',
    '"1"',
    r'"a\u0000b.wav"',
    r'"\ud800.wav"',
    r'"\udc80.wav"',
    r'"\ud83d"',
    r'"\u202e\u001b[31m\n\r\t"',
    f'"{"x" * 5000}.wav"',
    f'"{"y/" * 3000}z.wav"',
    '"/dev/zero"',
    '"."',
    '"../.."',
    '["a", 1]',
    '{"audio": "dog.wav", "audio": "rain.wav"}',
    f"[{','.join(['1'] * 20_000)}]",
]
CELLS = [
    *"nan inf -inf 1e308 1e999 -1 0x10 ١ true [] dog.wav . .. / /dev/zero ../.. =1+1 ' a,b".split(),
    *("", " ", "9" * 400, "9" * 5000, "x" * 5000, "y/" * 3000 + "z", "x" * 200_000),
    *("a\0b.wav", "\u202e\x1b[31m", 'a"b', '"', "a\nb", "a\rb", "caf\u00e9"),
]


def as_csv(*rows: tuple[object, ...]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def mutated(rng: random.Random, text: str, json_lines: bool) -> bytes:
    """A table, of CSV unless of ``json_lines``, after one to three mutations."""
    change = _json_value if json_lines else _cell
    for _ in range(rng.randint(1, 2)):
        text = rng.choice((change, change, change, _line))(rng, text)
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.4:
        content = rng.choice(BYTES)(rng, content)
    return content


def _json_value(rng: random.Random, text: str) -> str:
    """One value or key of one line replaced by an extreme."""
    lines = text.splitlines() or ["{}"]
    number = rng.randrange(len(lines))
    try:
        row = json.loads(lines[number])
    except (ValueError, RecursionError):
        return text
    if not isinstance(row, dict) or not row:
        return text
    holders: list[Any] = [row]
    for holder in holders:
        inside = holder.values() if isinstance(holder, dict) else holder
        holders += [value for value in inside if isinstance(value, dict | list) and value]
    holder = rng.choice(holders)
    key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    match rng.randrange(6):
        case 0 if isinstance(holder, dict):
            holder[rng.choice(("start_s", "end_s", "mix", "split", "candidates", "k" * 5000))] = "@"
        case 1:
            del holder[key]
        case 2 if isinstance(holder, dict):
            holder[f"{key}@"] = holder[key]
            lines[number] = json.dumps(row).replace("@", "")  # the same key twice
            return "\n".join(lines) + "\n"
        case _:
            holder[key] = "@"
    lines[number] = json.dumps(row).replace('"@"', rng.choice(EXTREMES))
    return "\n".join(lines) + "\n"


def _cell(rng: random.Random, text: str) -> str:
    """One cell or column name replaced, doubled or removed."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:  # of the mutation before
        return text
    row = rng.choice([row for row in rows if row] or [[""]])
    place = rng.randrange(len(row))
    match rng.randrange(5):
        case 0:
            row.insert(place, row[place])
        case 1:
            del row[place]
        case 2:
            return text.replace(row[place], rng.choice(CELLS), 1)  # without quotes
        case _:
            row[place] = rng.choice(CELLS)
    return as_csv(*map(tuple, rows))


def _line(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True) or ["\n"]
    place = rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            del lines[place]
        case 1:
            lines.insert(place, lines[place])
        case 2:
            lines.insert(
                place, rng.choice(("\n", "[1]\n", "3\n", '"a"\n', "null\n", "{}\n", ",\n"))
            )
        case 3:
            lines[place] = lines[place][: rng.randrange(len(lines[place]))] + "\n"
        case _:
            lines[place] = lines[place].rstrip("\n")
    return "".join(lines)


def _cut(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _noise(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content or b" ")
    for _ in range(rng.choice((1, 1, 4, 32))):
        changed[rng.randrange(len(changed))] = rng.choice((0, 10, 13, 34, 44, 123, 0xFF, 0xC3, 27))
    return bytes(changed)


def _insertion(rng: random.Random, content: bytes) -> bytes:
    place = rng.randrange(len(content) + 1)
    return (
        content[:place]
        + rng.choice((b"\0", b'"', b"\xff", b"\xef\xbb\xbf", b"\r"))
        + content[place:]
    )


BYTES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _cut,
    _noise,
    _noise,
    _insertion,
    lambda rng, content: b"\xef\xbb\xbf" + content,
    lambda rng, content: content.decode("utf-8", "replace").encode("utf-16"),
    lambda rng, content: content.decode("utf-8", "replace").encode("utf-16-le"),
    lambda rng, content: content.decode("utf-8", "replace").encode("cp1252", "replace"),
    lambda rng, content: gzip.compress(content),
    lambda rng, content: content.replace(b"\n", b"\r\n"),
    lambda rng, content: content.replace(b"\n", b"\r"),
    lambda rng, content: content * 50,
    lambda rng, content: content + b"x" * 300_000,
)
