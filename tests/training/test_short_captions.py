"""Short captions are trained on unless a recipe says otherwise, as the released data sets do."""

from auricle.training.card import _training
from auricle.training.config import DataConfig
from auricle.training.examples import Examples
from auricle.training.job import Outcome
from auricle.training.recipe import load_recipe
from tests.helpers.paths import RECIPES

PAPER = RECIPES / "paper"


def test_no_caption_is_dropped_for_its_length_unless_asked(tmp_path, write_tone):
    write_tone("a.wav")
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"audio": "a.wav", "captions": ["rain", "a dog barks"], "split": "train"}')
    data = DataConfig(train=(str(manifest),))
    read = Examples.read(data.train, data.train_split, 30.0, data.min_words)
    assert read.clip(0).captions == ("rain", "a dog barks")
    assert Examples.read(data.train, "train", 30.0, 3).clip(0).captions == ("a dog barks",)


def test_the_papers_recipe_drops_none_and_the_card_tells_of_a_limit():
    recipe = load_recipe(PAPER / "pretrain")
    assert recipe.data.min_words == 0
    assert "words left out" not in _training(recipe, Outcome((), 1))
    limited = load_recipe(PAPER / "pretrain", ["data.min_words=6"])
    assert "captions of fewer than 6 words left out" in _training(limited, Outcome((), 1))
