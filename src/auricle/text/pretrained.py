"""Folders in the formats of transformers and sentence-transformers, which may come from a stranger.

They are looked through before either library reads them: nothing in them may name code, and what
their configuration would build may not be larger than their weights say.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from auricle.errors import MissingDependencyError, ModelError, in_one_line
from auricle.extras import install_command
from auricle.files import load_json, read_json, read_whole
from auricle.model.meta import unfilled
from auricle.model.weights import check_stored, header
from auricle.schema import shown
from auricle.text.tokenizer import attempted, check_tokenizer

T = TypeVar("T")
MODULES = ("Transformer", "Pooling", "Dense", "Normalize")  # of sentence-transformers
CODE_KEYS = ("auto_map", "auto_mapping", "custom_st", "trust_remote_code", "custom_generate")
CODE_FILES = ("adapter_config.json", "router_config.json")  # they name classes of their own
KERNELS = ("attn_implementation", "experts_implementation")  # these can name code on the Hub
PLAIN_KERNELS = (None, "eager", "sdpa")
MOST_LAYERS = 200
MOST = 64 << 20  # bytes of a file that is no weights
NUMBERS_PER_BYTE = 2  # at most: a file may lack the decoder of T5, and have numbers of two bytes


def check_pretrained(folder: Path) -> None:
    """See that a folder names no code, has plain files and weights as large as its configuration.

    Raises ModelError: names the file and what is wrong with it.
    """
    places = [folder, *(path for path in sorted(folder.iterdir()) if path.is_dir())]
    paths = [path for place in places for path in sorted(place.iterdir()) if not path.is_dir()]
    for path in paths:
        if not path.is_file():  # a pipe, or a link to nothing
            raise ModelError(f"{path}: not a file that can be read; remove it")
    for path in paths:
        _check_file(path)
    if (folder / "modules.json").is_file():
        _check_modules(folder)


def check_size(folder: Path) -> None:
    """See that the transformer that config.json describes is not far larger than its weights.

    Raises ModelError: it is, or transformers cannot build it.
    """
    from transformers import AutoConfig, AutoModel

    def build() -> int:
        with unfilled():
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            model = AutoModel.from_config(config, trust_remote_code=False)
        return sum(parameter.numel() for parameter in model.parameters())

    numbers, stored = loaded(build, folder), sum(path.stat().st_size for path in _weights(folder))
    if numbers > NUMBERS_PER_BYTE * stored:
        raise ModelError(
            f"{folder}: config.json describes {numbers:,} numbers, but the weights have "
            f"{stored:,} bytes; fetch the folder again"
        )


def loaded(load: Callable[[], T], folder: Path) -> T:
    """``load()`` of a library, without its progress bars; whatever it raises is a ModelError."""
    with without_bars():
        return attempted(load, f"{folder}: cannot be loaded")


def require_sentence_transformers() -> None:
    """Raises MissingDependencyError: version 6 is not there; older ones run a folder's code."""
    try:
        version = importlib.metadata.version("sentence-transformers")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    if not version or int(version.split(".")[0]) < 6:
        raise MissingDependencyError(
            "text embedders other than all-MiniLM-L6-v2 need sentence-transformers >= 6, because "
            f"older ones run code from a model's folder; here is {version or 'none'}: "
            f"{install_command('clotho')}"
        )


@contextmanager
def without_bars() -> Iterator[None]:
    """Loading without the progress bars of transformers."""
    from transformers.utils import logging

    drawn = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            logging.enable_progress_bar()


def _check_file(path: Path) -> None:
    if path.name in CODE_FILES:
        raise ModelError(f"{path}: names code of its own, which auricle never executes")
    if path.suffix == ".safetensors":
        header(path)
    elif path.suffix in (".bin", ".pt", ".pth", ".ckpt"):
        check_stored(path)
    elif path.name == "tokenizer.json":
        check_tokenizer(read_json(path, MOST), path)
    elif path.suffix == ".json" and "config" in path.name:
        _check_config(read_json(path), path)
    elif path.suffix in (".json", ".txt", ".model", ".jinja"):
        read_whole(path, MOST)


def _check_config(values: Mapping[str, Any], path: Path) -> None:
    for key, value in _pairs(values):
        if key in CODE_KEYS and value:
            raise ModelError(f"{path}: {key} names code, which auricle never executes; remove it")
        if key.strip("_").removesuffix("_internal") in KERNELS and value not in PLAIN_KERNELS:
            raise ModelError(
                f"{path}: {key} is {shown(value)}, which names code elsewhere; remove it"
            )
        if isinstance(value, int) and ("layer" in key or "depth" in key) and value > MOST_LAYERS:
            raise ModelError(f"{path}: {key} is {value:,}; at most {MOST_LAYERS} are sensible")
    if {"in_features", "out_features"} <= values.keys():  # a Dense, built before it is filled
        sizes = values["in_features"], values["out_features"]
        stored = sum(file.stat().st_size for file in _weights(path.parent))
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ModelError(f"{path}: a layer of {shown(sizes)} numbers; they must be above 0")
        if sizes[0] * sizes[1] > stored:
            raise ModelError(
                f"{path}: a layer of {sizes[0]:,} x {sizes[1]:,} numbers, but the weights beside "
                f"it have {stored:,} bytes; fetch the folder again"
            )


def _check_modules(folder: Path) -> None:
    path = folder / "modules.json"
    content = read_whole(path, 1 << 20)
    try:
        modules = load_json(content)
    except ValueError as error:
        raise ModelError(
            f"{path}: not JSON ({in_one_line(error)}); fetch the folder again"
        ) from error
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise ModelError(f"{path}: not a list of modules; fetch the folder again")
    for module in modules:
        kind, place = module.get("type"), module.get("path")
        package, _, name = str(kind).rpartition(".")
        if not f"{package}.".startswith("sentence_transformers.") or name not in MODULES:
            raise ModelError(
                f"{path}: module type {shown(kind)}: auricle loads only sentence_transformers' own "
                f"{', '.join(MODULES)}, because others run code"
            )
        if not isinstance(place, str) or not _inside(folder, place):
            raise ModelError(f"{path}: module path {shown(place)} is not inside the folder")


def _inside(folder: Path, name: str) -> bool:
    place = (folder / name).resolve()
    return place == folder.resolve() or place.parent == folder.resolve()


def _weights(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin")]


def _pairs(values: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    left = [values]
    while left:
        inner = left.pop()
        if isinstance(inner, Mapping):
            yield from ((str(key), value) for key, value in inner.items())
            left += inner.values()
        elif isinstance(inner, list):
            left += inner
