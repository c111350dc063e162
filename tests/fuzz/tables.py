"""Tables of captions and clips, through all that reads them. The folder of an input tells its kind:
``predictions/p.jsonl``."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from auricle.data.audiocaps import read_audiocaps
from auricle.data.check import check
from auricle.data.clotho import read_clotho
from auricle.data.data_card import markdown, survey
from auricle.data.dropping import clean
from auricle.data.manifest import read_lines, read_manifest, write_manifest
from auricle.data.sound_folder import read_folder
from auricle.evaluation.predictions import read_predictions
from auricle.evaluation.references import read_references
from auricle.files import kept_rows
from auricle.mixup.answers import read_rows
from auricle.mixup.pairs import CaptionPairs
from auricle.training.examples import Examples
from tests.fuzz.reader import Reader
from tests.fuzz.table_damage import as_csv, mutated
from tests.helpers.recordings import recording

CLIPS = ("dog.wav", "rain.wav", "Yabcdefghijk_30.wav")
CAPTION = "a dog barks while rain falls"
IN_PLACE = 0.02  # of the inputs are no file of a usual size


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


@cache
def _sound() -> bytes:
    return recording("wav", 0.5)


def laid_out(folder: Path, kind: str) -> Path:
    """The path of a table of this kind; beside it are its recordings, and what Clotho has."""
    place = folder / kind
    (place / "evaluation").mkdir(parents=True, exist_ok=True)
    for name in CLIPS:
        (place / name).write_bytes(_sound())
        os.link(place / name, place / "evaluation" / name)
    if kind == "clotho_metadata":
        beside = KINDS["clotho"]
        (place / beside.name).write_text(beside.content)
    return place / KINDS[kind].name


def write(random: Random, folder: Path, kinds: Sequence[str]) -> Path:
    kind = random.choice(kinds)
    path = laid_out(folder, kind)
    if random.random() < IN_PLACE:
        laid = IN_ITS_PLACE + (OF_CSV if path.suffix == ".csv" else ())
        random.choice(laid)(path)
    else:
        path.write_bytes(mutated(random, KINDS[kind].content, path.suffix == ".jsonl"))
    return path


def _repeated(path: Path, content: bytes, times: int) -> None:
    with path.open("wb") as file:
        for _ in range(times):
            file.write(content)


IN_ITS_PLACE: tuple[Callable[[Path], object], ...] = (
    lambda path: None,  # nothing is there
    Path.mkdir,
    os.mkfifo,
    lambda path: path.symlink_to(path.name),
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: _repeated(path, b"x" * (1 << 20), 100),
    lambda path: _repeated(path, b"[" * (1 << 20), 100),
)
OF_CSV: tuple[Callable[[Path], object], ...] = (
    lambda path: _repeated(path, b'a,"' + b"b\n" * (1 << 19), 100),
    lambda path: _repeated(path, b'"a\n",' * (1 << 18), 66),
)


def read(path: Path) -> None:
    KINDS[path.parent.name].read(path)


def restored(entry: Path, folder: Path) -> Path:
    """An entry of the corpus is named KIND.suffix."""
    path = laid_out(folder, entry.name.split(".")[0])
    shutil.copy(entry, path)
    return path


def reader_of(*kinds: str) -> Reader:
    return Reader(lambda random, folder: write(random, folder, kinds), read, restore=restored)


MANIFESTS = ("manifest", "check", "data_card", "training", "pairs")
READER = reader_of(*(kind for kind in KINDS if kind not in MANIFESTS))
