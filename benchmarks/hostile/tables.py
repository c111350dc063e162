"""Broken and hostile tables through the public readers: what do they do to a program?

    python benchmarks/hostile/tables.py [--mutations 2000] [--seed 0] [--kind NAME]

Each mutation changes a valid table of one kind a little: bytes, encodings, lines, single values in
JSON, cells and columns in CSV, or what lies in the file's place. A reader may read it or refuse it
by an AuricleError of one line that names the file. All else is a fault: another exception, more
than 10 s, a message of several lines or without the file. The exit status is 1 if there is one.
"""

from __future__ import annotations

import argparse
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
from table_mutations import as_csv, mutated

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
        as_csv(
            ("audio", "caption_1", "caption_2", "start_s", "end_s", "split"),
            (CLIPS[0], CAPTION, "a dog, and rain", 0, 0.5, "train"),
            (CLIPS[1], 'rain "falls"', "", "", "", "val"),
        ),
        lambda path: read_folder(path.parent, path),
    ),
    "predictions_csv": Kind(
        "p.csv",
        as_csv(("file_name", "caption_predicted"), ("dog.wav", CAPTION), ("rain.wav", "a, b")),
        read_predictions,
    ),
    "references_csv": Kind(
        "r.csv",
        as_csv(
            ("file_name", *(f"caption_{n}" for n in range(1, 6))),
            *((name, CAPTION, "b", "c, d", 'e "f"', "g") for name in CLIPS),
        ),
        lambda path: read_references(path, path.parent),
    ),
    "audiocaps_references": Kind(
        "test.csv",
        as_csv(
            ("audiocap_id", "youtube_id", "start_time", "caption"),
            (1, "abcdefghijk", 30, CAPTION),
            (2, "abcdefghijk", 30, "rain"),
        ),
        lambda path: read_references(path, path.parent),
    ),
    "audiocaps": Kind(
        "train.csv",
        as_csv(
            ("audiocap_id", "youtube_id", "start_time", "caption"),
            (1, "abcdefghijk", 30, CAPTION),
            (2, "abcdefghijk", 30, "rain"),
        ),
        lambda path: read_audiocaps([path], path.parent),
    ),
    "clotho": Kind(
        "clotho_captions_evaluation.csv",
        as_csv(
            ("file_name", *(f"caption_{n}" for n in range(1, 6))),
            *((name, CAPTION, "b", "c, d", 'e "f"', "g") for name in CLIPS),
        ),
        lambda path: read_clotho(path.parent, ["evaluation"]),
    ),
    "clotho_metadata": Kind(
        "clotho_metadata_evaluation.csv",
        as_csv(
            ("file_name", "keywords", "sound_id", "sound_link", "manufacturer", "license"),
            *((name, "dog;rain", 7, "https://freesound.org", "me", "CC0") for name in CLIPS),
        ),
        lambda path: read_clotho(path.parent, ["evaluation"]),
    ),
}


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
                rng = random.Random(f"{seed} {number}")
                path.write_bytes(mutated(rng, kind.content, path.suffix == ".jsonl"))
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
