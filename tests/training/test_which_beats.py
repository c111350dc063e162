"""The BEATs of the paper's recipe: the one fine-tuned on AudioSet; another is noted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from auricle.hub.published import BEATS_FILE
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.initial import initial_model
from auricle.training.recipe import Recipe, load_recipe
from tests.helpers.paths import GOLDEN, RECIPES, ROOT

STAGES = ("pretrain", "finetune")


def checkpoint(path: Path, finetuned: bool) -> Path:
    """A small BEATs in Microsoft's format, with the AudioSet classifier or without."""
    config = json.loads((GOLDEN / "beats_config.json").read_text()) | {"finetuned_model": finetuned}
    state = {
        key.removeprefix("encoder."): tensor
        for key, tensor in load_file(GOLDEN / "state_dict.safetensors").items()
        if key.startswith("encoder.") and "predictor" not in key
    }
    if finetuned:
        config["predictor_class"] = 7
        state["predictor.weight"] = torch.zeros(7, config["encoder_embed_dim"])
        state["predictor.bias"] = torch.zeros(7)
    torch.save({"cfg": config, "model": state}, path)
    return path


def recipe(encoder: Path, *changes: str) -> Recipe:
    """The first stage of the paper at debug size, with these encoder weights."""
    folder = RECIPES / "paper"
    found = load_recipe(folder / "pretrain.toml", [str(folder / "debug.toml"), *changes])
    encoder_config = replace(found.model.encoder, output_layer=2)
    model = replace(found.model, encoder=encoder_config)
    width = json.loads((GOLDEN / "beats_config.json").read_text())["encoder_embed_dim"]
    model = replace(model, conformer=replace(model.conformer, dim=width))
    model = replace(model, decoder=replace(model.decoder, dim=width))
    return replace(found, encoder_weights=str(encoder), model=model)


def notes_of(recipe: Recipe) -> list[str]:
    said: list[str] = []
    tokenizer = CaptionTokenizer.train(["a dog barks"] * 3, 270)
    initial_model(recipe, tokenizer, said.append)
    return said


def test_the_recipe_names_the_finetuned_checkpoint() -> None:
    found = load_recipe(RECIPES / "paper" / "pretrain.toml")
    assert Path(found.encoder_weights).name == BEATS_FILE
    assert BEATS_FILE == "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt1.pt"
    assert found.finetuned_encoder


def test_the_finetuned_checkpoint_needs_no_note(tmp_path: Path) -> None:
    assert notes_of(recipe(checkpoint(tmp_path / "beats.pt", finetuned=True))) == []


def test_another_checkpoint_is_said_unless_it_is_meant(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "pretrained.pt", finetuned=False)
    (note,) = notes_of(recipe(path))
    assert str(path) in note
    assert BEATS_FILE in note
    assert "finetuned_encoder=false" in note
    assert notes_of(recipe(path, "finetuned_encoder=false")) == []


@pytest.mark.parametrize("file", ["docs/training.md", "src/auricle/recipes/paper/pretrain.toml"])
def test_nothing_names_the_other_checkpoint(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert text.count("BEATs_iter3_plus_AS2M") == text.count(BEATS_FILE) > 0
