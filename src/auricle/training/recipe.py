"""Recipes: a TOML file says all of a training run, `run_recipe` runs it to a model folder."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auricle.decoding.options import DecodeOptions
from auricle.errors import ModelError
from auricle.model.config import CaptionerConfig, build
from auricle.training.loop import Progress, TrainingConfig
from auricle.training.unpaired.pseudo import PseudoConfig


@dataclass(frozen=True)
class DataConfig:
    """Where a recipe's data lie and how they are prepared; folders are relative to the recipe.

    Attributes:
        shared: the project's shared data folder: captions, AudioSet labels, sounds.
        fetched: what recipes/tiny/fetch_sounds.sh fetched and rendered.
        labels: TOML of what the sounds are.
        class_captions: TOML of our own captions for single classes; ``class_share`` of each batch
            is theirs.
        vocab_size: tokens of the BPE trained on the captions.
        variants: how often each sound is heard, in other conditions.
        plain: recordings of tones, noise and silence; ``plain_share`` of each batch is theirs.
        tags: classes kept per text, the most probable.
    """

    shared: str = "../../shared/data"
    fetched: str = "../runs/sounds"
    labels: str = "tiny/sounds.toml"
    class_captions: str = "tiny/class_captions.toml"
    vocab_size: int = 2000
    variants: int = 4
    plain: int = 400
    plain_share: float = 0.02
    class_share: float = 0.02
    tags: int = 12


@dataclass(frozen=True)
class Recipe:
    """A run. ``measured`` is what the model card says of the result, once that is known."""

    name: str
    out: str
    training: TrainingConfig
    model: CaptionerConfig = field(default_factory=CaptionerConfig)
    data: DataConfig = field(default_factory=DataConfig)
    pseudo: PseudoConfig = field(default_factory=PseudoConfig)
    decoding: DecodeOptions = field(default_factory=DecodeOptions)
    measured: str = ""


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe; ``overrides`` are "section.key=value" in TOML's notation and win.

    Raises:
        ModelError: the file cannot be read, or a key or value in it is wrong; names both.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{path}: not a readable TOML recipe: {error}") from error
    for override in overrides:
        _merge(values, _parse(override))
    model = CaptionerConfig.from_dict(values.pop("model", {}))
    sections = {
        "training": TrainingConfig,
        "data": DataConfig,
        "pseudo": PseudoConfig,
        "decoding": DecodeOptions,
    }
    built: dict[str, Any] = {
        name: build(kind, values.pop(name), f"{path} [{name}]")
        for name, kind in sections.items()
        if name in values
    }
    return build(Recipe, {**values, **built, "model": model}, str(path))


def run_recipe(
    path: str | Path,
    overrides: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Prepare the data, train, and write the model folder, which is returned.

    Prepared data and checkpoints stay under ``<out>/work``, so a run that was killed goes on.
    ``note`` is told what is being prepared.
    """
    import torch

    from auricle.hub.folder import Bundle, EmbedderSpec, save_bundle
    from auricle.model.captioner import AudioCaptioner
    from auricle.text.embedder import MINILM
    from auricle.training.loop import train
    from auricle.training.unpaired.batches import UnpairedBatches

    path = Path(path)
    recipe = load_recipe(path, overrides)
    out = path.parent / recipe.out
    data = UnpairedBatches(recipe, path.parent, out / "work", note or (lambda _: None))
    torch.manual_seed(recipe.training.seed)
    torch.set_flush_denormal(True)  # AdamW's moments of rare tokens shrink into slow denormals
    model = AudioCaptioner(data.model_config)
    train(model, data.batch_at, recipe.training, out / "work", progress)
    bundle = Bundle(
        name=recipe.name,
        model=model,
        tokenizer=data.tokenizer,
        embedder=EmbedderSpec(MINILM, ""),
        decoding=recipe.decoding,
        card=data.card(),
    )
    save_bundle(out, bundle, torch.float16)
    return out


def _parse(override: str) -> dict[str, Any]:
    try:
        return tomllib.loads(override)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(
            f"override {override!r}: not section.key=value in TOML, such as training.steps=100 "
            '(strings in quotes: name="mine")'
        ) from error


def _merge(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value
