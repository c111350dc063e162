"""Recipes: read whole, built on others, wrong keys and types named, changes win."""

import json

import pytest

from auricle.errors import ModelError
from auricle.training.recipe import changed_keys, load_recipe, recipe_file
from tests.helpers.paths import RECIPES

TINY = RECIPES / "tiny.toml"
SHORT = 'name = "a"\nout = "b"\n[data]\ntrain = "m.jsonl"\n[training]\nsteps = 10\n'


def write(folder, text, name="recipe.toml"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_shipped_recipe_reads_and_changes_win():
    recipe = load_recipe(TINY, ["training.steps=7", "name=other", "model.conformer.layers=1"])
    assert (recipe.name, recipe.training.steps, recipe.model.conformer.layers) == ("other", 7, 1)
    assert recipe.model.encoder.type == "yamnet"
    assert recipe.model.conformer.dim == load_recipe(RECIPES / "tiny").model.conformer.dim == 192


@pytest.mark.parametrize("stage", ["pretrain"])
@pytest.mark.parametrize("overlay", sorted((RECIPES / "paper" / "ablations").glob("*.toml")))
def test_every_ablation_changes_what_its_name_says_and_no_more(stage, overlay):
    plain = load_recipe(RECIPES / "paper" / stage).to_dict()
    changed = changed_keys(plain, load_recipe(RECIPES / "paper" / stage, [str(overlay)]).to_dict())
    expected = {
        "attention-pooling": ["model.embedding.pooling"],
        "self-attention-pooling": ["model.embedding.pooling"],
        "memory-specaugment": ["augment.place"],
        "no-conformer": ["model.conformer.layers"],
        "no-instructor": [
            "training.info_nce_weight",
            "decoding.rerank.likelihood",
            "decoding.rerank.similarity",
        ],
        "no-mixups": ["data.train"],
        "no-pretraining": [],  # of the first stage: there is nothing to leave out
        "tuned-encoder": ["training.tune_encoder"],
    }
    assert changed == expected[overlay.stem]


def test_the_published_numbers_are_in_the_recipe():
    recipe = load_recipe(RECIPES / "paper" / "pretrain")
    training, augment, decoding = recipe.training, recipe.augment, recipe.decoding
    assert (training.batch_size, training.accumulate, training.warmup_steps) == (32, 2, 1000)
    assert (training.weight_decay, training.label_smoothing) == (1e-3, 0.1)
    assert (training.temperature, training.info_nce_weight) == (0.5, 1.0)
    assert (augment.place, augment.frequency_masks, augment.frequency_width) == ("fbank", 2, 64)
    assert (augment.time_masks, augment.time_share, augment.time_warp) == (5, 0.12, 5)
    assert (decoding.candidates, decoding.temperature, decoding.top_p) == (50, 0.5, 0.95)
    assert recipe.model.decoder.layers == 6
    assert recipe.data.mix_range_db == 5


def test_the_second_stage_inherits_from_the_model_it_starts_from(tmp_path):
    recipe = load_recipe(
        RECIPES / "paper" / "finetune", ["start=tiny", "model.conformer.dropout=0.3"]
    )
    assert recipe.training.learning_rate == 2e-5
    assert recipe.model.encoder.type == "yamnet"
    assert recipe.model.conformer.dropout == 0.3
    assert recipe.text_embedder.name == "all-MiniLM-L6-v2"
    assert recipe.tokenizer.name == ""
    alone = load_recipe(
        RECIPES / "paper" / "finetune", [str(RECIPES / "paper/ablations/no-pretraining.toml")]
    )
    assert alone.start == ""
    assert alone.model.encoder.type == "beats"


def test_paths_are_meant_from_the_file_they_stand_in(tmp_path, monkeypatch):
    write(tmp_path, SHORT + 'cache = "no"\n'.replace("cache", "workers = 0 #"), "base/base.toml")
    overlay = write(
        tmp_path, 'base = "../base/base"\n[data]\nvalidation = ["val.jsonl"]\n', "over/o.toml"
    )
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(
        overlay, ["data.cache=c", "encoder_weights=./w.pt", "text_embedder.name=x/y"]
    )
    assert recipe.data.train == (str(tmp_path / "base" / "m.jsonl"),)
    assert recipe.data.validation == (str(tmp_path / "over" / "val.jsonl"),)
    assert recipe.data.cache == str(tmp_path / "c")
    assert recipe.encoder_weights == str(tmp_path / "w.pt")
    assert recipe.text_embedder.name == "x/y"
    assert recipe.out == str(tmp_path / "base" / "b")
    assert json.dumps(recipe.to_dict())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (SHORT.replace("steps", "stepps"), "'training.stepps' is unknown; did you mean 'steps'"),
        (SHORT + "[pseudo]\nlevel = 1.0\n", "'pseudo.level'"),
        (SHORT + "[model.conformer]\nlayer = 1\n", "'model.conformer.layer'.*'layers'"),
        (SHORT + '[model.conformer]\nlayers = "two"\n', "layers is 'two', but must be a whole num"),
        (SHORT + "[model]\nconformer = 2\n", r"model.conformer is 2, but must be a section"),
        (SHORT + '[model.encoder]\ntype = "beets"\n', "model.encoder type 'beets'.*beats, yamnet"),
        (SHORT + "batch_size = 1.5\n", "batch_size is 1.5, but must be a whole number"),
        (SHORT + "bf16 = 1\n", "bf16 is 1, but must be true or false"),
        (SHORT + "batch_size = true\n", "batch_size is True"),
        (SHORT + 'schedule = "cosin"\n', "schedule is 'cosin'.*'cosine' or 'linear'"),
        (SHORT + "learning_rate = -1\n", "training: learning_rate=-1.0: must be above 0"),
        (SHORT.replace('train = "m.jsonl"', ""), "data: train=.*path of a manifest"),
        (SHORT + "[validation]\nmonitor = 'cider_d'\ncaptions_every = 0\n", "never scored"),
        (SHORT + "[augment]\ntime_share = 1.2\n", "time_share=1.2: must be from 0 to 1"),
        (SHORT + "epochs = 2\n", "either epochs or steps"),
        (SHORT + "seed = -1\n", "training: seed=-1: must be from 0 to"),
        (SHORT + f"seed = {2**63}\n", "training: seed=.*: must be from 0 to"),
        (SHORT + "[decoding]\ntop_p = 2.0\n", "top_p=2.0"),
        (SHORT + '[augment]\nplace = "fbank"\n', "features is .cached."),
        (SHORT + "tune_encoder = true\n", "tune_encoder.*cached"),
        (SHORT + 'tune_encoder = true\n[model.encoder]\ntype = "yamnet"\n', "YAMNet stays"),
        (SHORT.replace('train = "m.jsonl"', "train = 3"), "data.train is 3, but must be a list"),
        (SHORT.replace('name = "a"\n', ""), "'name' is missing"),
        (SHORT.replace('[data]\ntrain = "m.jsonl"\n', ""), "either \\[data\\]"),
        ('base = "recipe.toml"\n', "builds on itself"),
        ("name = ", "not a readable TOML recipe"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, named):
    path = write(tmp_path, text)
    with pytest.raises(ModelError, match=named) as caught:
        load_recipe(path)
    assert "recipe.toml" in str(caught.value)


def test_a_missing_recipe_and_a_bad_change_are_one_clear_line(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.toml: no such recipe"):
        load_recipe(tmp_path / "gone.toml")
    with pytest.raises(ModelError, match=r"section\.key=value"):
        load_recipe(TINY, ["training.steps"])
    with pytest.raises(ModelError, match="did you mean 'steps'"):
        load_recipe(TINY, ["training.step=3"])
    assert recipe_file(RECIPES / "paper" / "finetune").suffix == ".toml"
