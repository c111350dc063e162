"""Checkpoints in the published system's format, and BEATs checkpoints: pickles and safetensors."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
from functools import cache
from pathlib import Path
from random import Random

from auricle.hub.published import load_beats, load_published
from tests.fuzz.damage import damaged
from tests.fuzz.model_damage import extremes, spots
from tests.fuzz.reader import Reader
from tests.fuzz.small_models import MARK, write_published
from tests.fuzz.weight_damage import (
    Payload,
    header_changed,
    pickle_changed,
    pickled,
    weights_changed,
)

GOLDEN_FILES = ("model_config.json", "conformer_config.json", "beats_config.json")
BEATS = "BEATs.pt"


@cache
def _whole() -> Path:
    """A published checkpoint, and of its encoder a checkpoint as Microsoft's."""
    import torch
    from safetensors.torch import load_file

    home = Path(tempfile.mkdtemp(prefix="auricle-fuzz-checkpoint-"))
    write_published(home)
    weights = load_file(home / "model.safetensors")
    beats = {
        name.removeprefix("encoder."): tensor
        for name, tensor in weights.items()
        if name.startswith("encoder.")
    }
    config = json.loads((home / "beats_config.json").read_text())
    torch.save({"cfg": config, "model": beats}, home / BEATS)
    return home


def write(random: Random, folder: Path) -> Path:
    os.environ[MARK] = str(folder / "mark")
    place = folder / "checkpoint"
    place.mkdir()
    if random.random() < 0.4:
        return _beats(random, place)
    for name in (*GOLDEN_FILES, "model.safetensors"):
        os.link(_whole() / name, place / name)
    for mutation in random.choices(MUTATIONS, k=random.choice((1, 1, 1, 2))):
        with contextlib.suppress(Exception):  # an earlier mutation took or spoiled the file
            mutation(random, place)
    return place


def _beats(random: Random, place: Path) -> Path:
    import torch

    path = place / BEATS
    kind = random.random()
    if kind < 0.3:
        path.write_bytes((_whole() / BEATS).read_bytes())
        pickle_changed(random, path)
        return path
    if kind < 0.5:
        content = (_whole() / BEATS).read_bytes()
        path.write_bytes(damaged(random, content, content[:500]))
        return path
    content = torch.load(_whole() / BEATS, weights_only=True)
    if kind < 0.8:
        where, key = random.choice(spots(content["cfg"]))
        where[key] = extremes(random, where[key])
    elif kind < 0.9:
        content["model"][random.choice(list(content["model"]))] = random.choice(
            (Payload(), None, 3, torch.zeros(2), torch.zeros(3, dtype=torch.int64), [])
        )
    else:
        content[random.choice(("cfg", "model"))] = random.choice((None, [], {}, 3, "x", Payload()))
    torch.save(content, path, _use_new_zipfile_serialization=random.random() < 0.7)
    return path


def _config(random: Random, place: Path) -> None:
    path = place / random.choice(GOLDEN_FILES)
    content = json.loads(path.read_bytes())
    for _ in range(random.choice((1, 1, 5))):
        where, key = random.choice(spots(content))
        where[key] = extremes(random, where[key])
    path.unlink()  # a link to the whole one
    path.write_text(json.dumps(content))


def _bytes(random: Random, place: Path) -> None:
    path = random.choice(sorted(place.iterdir()))
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(damaged(random, content, content[:2000]))


def _own(mutation: object) -> object:
    """``mutation`` of files that are no links any more."""

    def of_copies(random: Random, place: Path) -> None:
        for path in place.iterdir():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
        mutation(random, place)  # type: ignore[operator]

    return of_copies


MUTATIONS = (_config, _config, _bytes, *map(_own, (header_changed, weights_changed, pickled)))


def read(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (load_beats if path.suffix == ".pt" else load_published)(path)
    assert not (path.parents[path.suffix == ".pt"] / "mark").exists(), "code was executed"


READER = Reader(write, read)
