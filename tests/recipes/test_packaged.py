"""The recipes in the package: found by name anywhere, and copied with what they build on."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from auricle.cli import app
from auricle.errors import ModelError
from auricle.recipes import PACKAGED, copy_recipe, recipe_file, recipe_names
from auricle.training.recipe import load_recipe, read_values


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_names_are_those_of_recipes_and_not_of_their_tables() -> None:
    names = recipe_names()
    assert {"own-data", "tiny", "paper/finetune", "paper/ablations/no-mixups"} <= set(names)
    assert not any(name.startswith("tiny/") for name in names)


@pytest.mark.parametrize("name", ["own-data", "own-data.toml", "recipes/own-data"])
def test_a_recipe_works_in_an_empty_folder(name: str, elsewhere: Path) -> None:
    recipe = load_recipe(name)
    assert recipe.out == str(elsewhere / "runs" / "own-data")
    assert recipe.data is not None
    assert recipe.data.train == (str(elsewhere / "runs" / "own-data.jsonl"),)


def test_an_existing_file_wins_and_may_build_on_a_packaged_recipe(elsewhere: Path) -> None:
    (elsewhere / "own-data.toml").write_text('base = "recipes/own-data"\nname = "mine"\n')
    assert load_recipe("own-data").name == "mine"
    assert load_recipe("own-data").out == str(elsewhere / "runs" / "own-data")


def test_tables_come_from_the_package_and_sounds_from_the_working_folder(elsewhere: Path) -> None:
    recipe = load_recipe("tiny")
    assert recipe.unpaired is not None
    assert recipe.unpaired.labels == str(PACKAGED / "tiny" / "sounds.toml")
    assert recipe.unpaired.shared == str(elsewhere.parent / "shared" / "data")
    assert recipe.unpaired.fetched == str(elsewhere / "runs" / "sounds")


@pytest.mark.parametrize("name", recipe_names())
def test_a_copy_says_what_the_recipe_says(name: str, elsewhere: Path) -> None:
    packaged = read_values(name)
    copied = copy_recipe(name, Path("recipes"))
    assert copied[0] == recipe_file(f"recipes/{name}")
    for key in ("labels", "class_captions"):
        if "unpaired" in packaged:
            text = packaged["unpaired"][key]
            packaged["unpaired"][key] = text.replace(str(PACKAGED), str(elsewhere / "recipes"))
    assert read_values(f"recipes/{name}") == packaged


def test_a_copy_brings_parents_and_overwrites_nothing(elsewhere: Path) -> None:
    files = [path.name for path in copy_recipe("paper/preference", elsewhere / "mine")]
    assert files == ["preference.toml", "finetune.toml", "pretrain.toml"]
    assert copy_recipe("paper/finetune", elsewhere / "mine")  # equal files stay
    changed = elsewhere / "mine" / "paper" / "pretrain.toml"
    changed.write_text("# mine")
    with pytest.raises(ModelError, match=r"pretrain\.toml: exists and differs"):
        copy_recipe("paper/finetune", elsewhere / "mine")
    assert changed.read_text() == "# mine"
    assert "class_captions.toml" in [path.name for path in copy_recipe("tiny", Path("t"))]


def test_overlays_by_name() -> None:
    recipe = load_recipe("paper/pretrain", ["paper/ablations/no-conformer", "paper/debug.toml"])
    assert recipe.encoder_weights == "random"


def test_an_unknown_name_lists_those_that_there_are() -> None:
    for name in ("own-dat", "../own-data", "tiny/sounds"):
        with pytest.raises(ModelError, match=r"no such recipe; give .*one of own-data"):
            recipe_file(name)


def test_the_commands(elsewhere: Path) -> None:
    run = CliRunner().invoke
    lines = dict(line.split("\t") for line in run(app, ["recipes", "list"]).stdout.splitlines())
    assert list(lines) == recipe_names()
    assert "own" in lines["own-data"]
    shown = run(app, ["recipes", "show", "own-data"]).stdout
    assert shown == (PACKAGED / "own-data.toml").read_text()
    copied = run(app, ["recipes", "copy", "paper/finetune"])
    assert copied.stdout.splitlines() == [
        "recipes/paper/finetune.toml",
        "recipes/paper/pretrain.toml",
    ]
    Path("recipes/paper/finetune.toml").write_text("# mine")
    again = run(app, ["recipes", "copy", "paper/finetune"])
    assert again.exit_code == 2
    assert "exists and differs" in again.stderr


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("auricle recipes show own", ["own-data"]),
        ("auricle train paper/pre", ["paper/preference", "paper/pretrain"]),
        ("auricle caption --model t", ["tiny"]),
    ],
)
def test_names_are_completed(words: str, completed: list[str]) -> None:
    asked = {
        "_AURICLE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    assert CliRunner().invoke(app, env=asked, prog_name="auricle").stdout.split() == completed
