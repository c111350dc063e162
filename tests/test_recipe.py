"""Recipes: read whole, wrong keys named, overrides win."""

from pathlib import Path

import pytest

from auricle.errors import ModelError
from auricle.training.recipe import load_recipe

RECIPE = Path(__file__).parents[1] / "recipes" / "tiny.toml"
SHORT = 'name = "a"\nout = "b"\n[training]\nsteps = 10\n'


def test_the_shipped_recipe_reads_and_overrides_win():
    recipe = load_recipe(RECIPE, ["training.steps=7", 'name="other"', "model.conformer.layers=1"])
    assert (recipe.name, recipe.training.steps, recipe.model.conformer.layers) == ("other", 7, 1)
    assert recipe.model.encoder.type == "yamnet"
    assert recipe.model.conformer.dim == load_recipe(RECIPE).model.conformer.dim == 192


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (SHORT.replace("steps", "stepps"), "did you mean 'steps'"),
        (SHORT + "[pseudo]\nlevel = 1.0\n", "'level'"),
        (SHORT + "[model.conformer]\nlayer = 1\n", "'layer'"),
        (SHORT + "[decoding]\ntop_p = 2.0\n", "top_p=2.0"),
        (SHORT.replace('name = "a"\n', ""), "name"),
        ("name = ", "not a readable TOML recipe"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, named):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ModelError, match=named):
        load_recipe(path)


def test_a_missing_recipe_and_a_bad_override_are_one_clear_line(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.toml"):
        load_recipe(tmp_path / "gone.toml")
    with pytest.raises(ModelError, match=r"section\.key=value"):
        load_recipe(RECIPE, ["training.steps"])
