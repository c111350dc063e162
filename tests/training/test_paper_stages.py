"""The paper's first stage: one consistent set of numbers, each with its reason."""

import math
import tomllib

import pytest

from auricle.training.config import TrainingConfig
from auricle.training.recipe import load_recipe
from tests.helpers.paths import RECIPES

PAPER = RECIPES / "paper"
ESPNET = {"batch": 64 * 8, "learning_rate": 2e-4, "warmup_steps": 8000, "clip_norm": 2.0}
RELEASED = {"batch_size": 32, "accumulate": 2, "warmup_steps": 1000, "weight_decay": 1e-3}


def test_batch_warm_up_and_rate_of_the_first_stage_belong_together():
    training = load_recipe(PAPER / "pretrain").training
    assert {name: getattr(training, name) for name in RELEASED} == RELEASED
    assert (training.clip_norm, training.schedule, training.beta2) == (1.0, "linear", 0.999)
    batch = training.batch_size * training.accumulate
    rate = ESPNET["learning_rate"] * math.sqrt(batch / ESPNET["batch"])
    assert training.learning_rate == pytest.approx(rate, rel=0.02)
    assert training.warmup_steps < 0.05 * training.epochs * 100_000 / batch


def test_every_number_of_the_optimisation_has_its_reason_beside_it():
    text = (PAPER / "pretrain.toml").read_text()
    section = text.partition("[training]\n")[2].partition("\n\n")[0]
    assert len(section.splitlines()) == len(tomllib.loads(section))
    assert all(line.partition(" # ")[2] for line in section.splitlines())


def test_the_docstring_of_the_defaults_names_those_that_are_not_published():
    from auricle.training import config

    published = load_recipe(PAPER / "pretrain").training
    default = TrainingConfig(epochs=1)
    differing = {
        name
        for name in ("schedule", "beta1", "beta2", "accumulate", "warmup_steps", "weight_decay")
        if getattr(published, name) != getattr(default, name)
    }
    assert differing == {"schedule", "beta2", "accumulate"}
    assert all(f"``{name}``" in config.__doc__ for name in differing)
