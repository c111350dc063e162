"""Broken and hostile tables through the public readers: what do they do to a program?

    python benchmarks/hostile/tables.py [--mutations 2000] [--seed 0] [--kind NAME]

Each mutation changes a valid table of one kind a little: bytes, encodings, lines, single values in
JSON, cells and columns in CSV, or what lies in the file's place. A reader may read it or refuse it
by an AuricleError of one line that names the file. All else is a fault: another exception, more
than 10 s, a message of several lines or without the file. The exit status is 1 if there is one.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from auricle.data.audiocaps import read_audiocaps
from auricle.data.check import check
from auricle.data.clotho import read_clotho
from auricle.data.data_card import markdown, survey
from auricle.data.dropping import clean
from auricle.data.manifest import read_lines, read_manifest, write_manifest
from auricle.data.sound_folder import read_folder
from auricle.errors import AuricleError
from auricle.evaluation.predictions import read_predictions
from auricle.evaluation.references import read_references
from auricle.files import kept_rows
from auricle.mixup.answers import read_rows
from auricle.mixup.pairs import CaptionPairs
from auricle.training.examples import Examples

LIMIT_S = 10
LONGEST_MESSAGE = 2000
RATE_HZ = 8000
CLIPS = ("dog.wav", "rain.wav", "Yabcdefghijk_30.wav")
CAPTION = "a dog barks while rain falls"


@dataclass(frozen=True)
class Kind:
    """A kind of table: its file name, a valid content, and all that reads it."""

    name: str
    content: str
    read: Callable[[Path], Any]


def _jsonl(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _csv(*rows: tuple[object, ...]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


MANIFEST = _jsonl(
    {"audio": CLIPS[0], "captions": [CAPTION, "barking"], "id": "1", "split": "train"},
    {"audio": CLIPS[1], "captions": ["rain"], "start_s": 0.1, "end_s": 0.3, "licence": "CC0"},
    {"audio": CLIPS[0], "captions": ["both"], "split": "val", "source": "freesound:1",
     "mix": {"audio": CLIPS[1], "level_db": -3.0, "offset_s": 0.0}, "more": {"a": [1, None]}},
)  # fmt: skip
PREDICTIONS = _jsonl(
    {"audio": "dog.wav", "start_s": 0.0, "end_s": 1.0, "caption": CAPTION, "score": 0.5,
     "candidates": [{"text": CAPTION, "log_likelihood": -1.0, "similarity": 0.5, "score": 0.1,
                     "fluent": True, "fluency": 0.99}], "model": "tiny", "decode": "nucleus"},
    {"id": "rain", "caption": "rain"},
)  # fmt: skip
ANSWERS = _jsonl(
    {"pair": 0, "ids": ["1", "2"], "audio": list(CLIPS[:2]), "sections": [[0, 1], [None, None]],
     "captions": ["a", "b"], "licences": [None, "CC0"], "sources": ["x", None], "prompt": "1",
     "model": "m", "provider": "openai", "seed": 0, "answer": "a and b", "relation": None},
)  # fmt: skip


def _read_and_written(path: Path) -> None:
    """One bad row does not end the reading; what is written can be read again."""
    broken: list[int] = []
    clips = [clip for _, clip in read_lines(path, lambda line, _: broken.append(line))]
    copy = path.parent / "copy" / "m.jsonl"
    write_manifest(copy, clips)
    assert [clip.captions for clip in read_manifest(copy)] == [clip.captions for clip in clips]
    list(read_manifest(path))


def _checked(path: Path) -> None:
    clean([path], check([path], workers=1), path.parent / "copy" / "clean.jsonl")


KINDS = {
    "manifest": Kind("m.jsonl", MANIFEST, _read_and_written),
    "check": Kind("m.jsonl", MANIFEST, _checked),
    "references": Kind("r.jsonl", MANIFEST, read_references),
    "predictions": Kind("p.jsonl", PREDICTIONS, read_predictions),
    "data_card": Kind("m.jsonl", MANIFEST, lambda path: markdown(survey([path]))),
    "training": Kind("m.jsonl", MANIFEST, lambda path: list(Examples.read([path], "train", 30.0))),
    "pairs": Kind("m.jsonl", MANIFEST, lambda path: CaptionPairs.read(path)[0]),
    "answers": Kind("a.jsonl", ANSWERS, lambda path: list(read_rows(path))),
    "kept": Kind("k.jsonl", PREDICTIONS, lambda path: list(kept_rows(path))),
    "folder_lines": Kind(
        "captions.jsonl",
        _jsonl({"audio": CLIPS[0], "caption": CAPTION}, {"audio": CLIPS[1], "captions": ["a"]}),
        lambda path: read_folder(path.parent, path),
    ),
    "folder_csv": Kind(
        "captions.csv",
        _csv(
            ("audio", "caption_1", "caption_2", "start_s", "end_s", "split"),
            (CLIPS[0], CAPTION, "a dog, and rain", 0, 0.5, "train"),
            (CLIPS[1], 'rain "falls"', "", "", "", "val"),
        ),
        lambda path: read_folder(path.parent, path),
    ),
    "predictions_csv": Kind(
        "p.csv",
        _csv(("file_name", "caption_predicted"), ("dog.wav", CAPTION), ("rain.wav", "a, b")),
        read_predictions,
    ),
    "references_csv": Kind(
        "r.csv",
        _csv(
            ("file_name", *(f"caption_{n}" for n in range(1, 6))),
            *((name, CAPTION, "b", "c, d", 'e "f"', "g") for name in CLIPS),
        ),
        lambda path: read_references(path, path.parent),
    ),
    "audiocaps_references": Kind(
        "test.csv",
        _csv(
            ("audiocap_id", "youtube_id", "start_time", "caption"),
            (1, "abcdefghijk", 30, CAPTION),
            (2, "abcdefghijk", 30, "rain"),
        ),
        lambda path: read_references(path, path.parent),
    ),
    "audiocaps": Kind(
        "train.csv",
        _csv(
            ("audiocap_id", "youtube_id", "start_time", "caption"),
            (1, "abcdefghijk", 30, CAPTION),
            (2, "abcdefghijk", 30, "rain"),
        ),
        lambda path: read_audiocaps([path], path.parent),
    ),
    "clotho": Kind(
        "clotho_captions_evaluation.csv",
        _csv(
            ("file_name", *(f"caption_{n}" for n in range(1, 6))),
            *((name, CAPTION, "b", "c, d", 'e "f"', "g") for name in CLIPS),
        ),
        lambda path: read_clotho(path.parent, ["evaluation"]),
    ),
    "clotho_metadata": Kind(
        "clotho_metadata_evaluation.csv",
        _csv(
            ("file_name", "keywords", "sound_id", "sound_link", "manufacturer", "license"),
            *((name, "dog;rain", 7, "https://freesound.org", "me", "CC0") for name in CLIPS),
        ),
        lambda path: read_clotho(path.parent, ["evaluation"]),
    ),
}

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


def mutated(rng: random.Random, kind: Kind) -> bytes:
    """The content of ``kind``, changed by one to three mutations."""
    text = kind.content
    change = _json_value if kind.name.endswith(".jsonl") else _cell
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
    return _csv(*map(tuple, rows))


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


def laid_in_place(path: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Things other than a table at ``path``, by name."""
    yield "nothing", lambda: None
    yield "folder", path.mkdir
    yield "pipe", lambda: os.mkfifo(path)
    yield "loop", lambda: path.symlink_to(path.name)
    yield "device", lambda: path.symlink_to("/dev/zero")
    yield "100 MB line", lambda: _repeat(path, b"x" * (1 << 20), 100)
    yield "100 MB of open lists", lambda: _repeat(path, b"[" * (1 << 20), 100)
    if path.suffix == ".csv":
        yield "100 MB in a quote", lambda: _repeat(path, b'a,"' + b"b\n" * (1 << 19), 100)
        yield "100 MB in one row", lambda: _repeat(path, b'"a\n",' * (1 << 18), 66)


def _repeat(path: Path, content: bytes, times: int) -> None:
    with path.open("wb") as file:
        for _ in range(times):
            file.write(content)


def outcome(kind: Kind, path: Path) -> tuple[str, str]:
    """("read" or "refused" or a fault, the error's text)."""
    signal.alarm(LIMIT_S)
    try:
        kind.read(path)
        return "read", ""
    except AuricleError as error:
        text = str(error)
        if not text.isprintable() or len(text) > LONGEST_MESSAGE:
            return "message of many lines", ascii(text[:300])
        return ("refused" if path.name in text or path.parent.name in text else "unnamed"), text
    except TimeoutError:
        return f"over {LIMIT_S} s", ""
    except Exception as error:
        return f"escaped: {type(error).__name__}", ascii(str(error)[:200])
    finally:
        signal.alarm(0)


def _over(*_: object) -> None:
    raise TimeoutError


def lay_out(folder: Path) -> None:
    """The recordings, and Clotho's table for its metadata, in ``folder``."""
    noise = np.random.default_rng(0).normal(0, 0.1, RATE_HZ)
    (folder / "evaluation").mkdir(parents=True)
    for name in CLIPS:
        soundfile.write(folder / name, noise, RATE_HZ)
        shutil.copy(folder / name, folder / "evaluation" / name)
    (folder / KINDS["clotho"].name).write_text(KINDS["clotho"].content)


def run(
    mutations: int, seed: int = 0, kinds: tuple[str, ...] = tuple(KINDS), in_place: bool = True
) -> tuple[dict[str, Counter[str]], list[str]]:
    """Outcomes by kind, and a line for each fault."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    faults: list[str] = []
    before = signal.signal(signal.SIGALRM, _over)

    def note(name: str, what: str, kind: Kind, path: Path) -> None:
        found, text = outcome(kind, path)
        counts[name][found] += 1
        if found not in ("read", "refused"):
            faults.append(f"{name}, {what}: {found}: {text}")

    try:
        with tempfile.TemporaryDirectory(prefix="auricle-tables-") as home:
            folder = Path(home) / "tables"
            lay_out(folder)
            for number in range(mutations):
                name = kinds[number % len(kinds)]
                kind, path = KINDS[name], folder / KINDS[name].name
                path.write_bytes(mutated(random.Random(f"{seed} {number}"), kind))
                note(name, f"mutation {number}", kind, path)
                path.unlink(missing_ok=True)
                shutil.rmtree(folder / "copy", ignore_errors=True)
                if name.startswith("clotho"):
                    (folder / KINDS["clotho"].name).write_text(KINDS["clotho"].content)
            for name in kinds if in_place else ():
                kind, path = KINDS[name], folder / KINDS[name].name
                for what, lay in laid_in_place(path):
                    _remove(path)
                    lay()
                    note(name, what, kind, path)
                _remove(path)
                (folder / KINDS["clotho"].name).write_text(KINDS["clotho"].content)
    finally:
        signal.signal(signal.SIGALRM, before)
    return dict(counts), faults


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--mutations", type=int, default=2000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--kind", action="append", choices=list(KINDS))
    given = arguments.parse_args()
    kinds = tuple(given.kind or KINDS)
    counts, faults = run(given.mutations, given.seed, kinds)
    total: Counter[str] = Counter()
    for name in kinds:
        total += counts[name]
        print(f"{name:26}", ", ".join(f"{k} {n}" for k, n in sorted(counts[name].items())))
    print(f"{'all':26}", ", ".join(f"{k} {n}" for k, n in sorted(total.items())))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(faults)} faults; peak memory {peak:,.0f} MB")
    for line in faults[:40]:
        print(" ", line)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
