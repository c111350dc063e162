"""Model cards: they hold what a run knows, and claim nothing else."""

from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
import torch

from auricle.decoding.options import DecodeOptions
from auricle.hub.card import default_card
from auricle.hub.folder import EmbedderSpec
from auricle.metrics.bootstrap import Interval
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.tiny.card import tiny_card, tiny_credits
from auricle.tiny.sounds import Sound
from auricle.training.card import paired_card
from auricle.training.config import DataConfig, TrainingConfig, UnpairedConfig, ValidationConfig
from auricle.training.examples import Source
from auricle.training.job import Outcome
from auricle.training.recipe import Recipe
from auricle.training.validation import ClipCaption, Validation

MANIFEST = "/home/somebody/secret/clotho.jsonl"


def source(path=MANIFEST, clips=1200, licences=None, skipped=3) -> Source:
    counts = Counter(licences or {"CC0": 1000, "CC BY-NC 3.0": 150, "not stated": 50})
    told = {
        "path": Path(path),
        "clips": clips,
        "seconds": 3600 * 6.5,
        "licences": counts,
        "skipped": Counter({"audio missing": skipped}),
    }
    return Source(**{f.name: None for f in fields(Source)} | told)


@dataclass(frozen=True)
class Facts:
    """What a card is written from."""

    recipe: Recipe
    model: AudioCaptioner
    train: tuple[Source, ...]
    validation: tuple[Source, ...]
    outcome: Outcome

    def but(self, **changes) -> "Facts":
        """With changes of the outcome."""
        return replace(self, outcome=replace(self.outcome, **changes))

    def card(self) -> str:
        sources = {"training": self.train, "validation": self.validation}
        return paired_card(self.recipe, self.model, sources, self.outcome)


@pytest.fixture(scope="module")
def facts():
    torch.manual_seed(0)
    recipe = Recipe(
        "ears",
        "/home/somebody/out",
        TrainingConfig(epochs=2, batch_size=8, accumulate=2, seed=5, bf16=True),
        data=DataConfig(train=(MANIFEST,), validation_split="val"),
        text_embedder=EmbedderSpec("all-MiniLM-L6-v2", ""),
        validation=ValidationConfig(monitor="cider_d"),
        decoding=DecodeOptions(method="beam"),
    )
    found = Validation(
        clips=40,
        losses={"nll": 2.5, "loss": 3.0},
        recall={"audio_to_text_r1": 0.2},
        captions=tuple(ClipCaption(i, str(i), Path(), "a", ("a",)) for i in range(40)),
        cider_d=0.45,
        intervals={
            "cider_d": Interval(0.45, 0.3912, 0.512),
            "audio_to_text_r1": Interval(0.2, 0.1, 0.325),
            "nll": Interval(2.5, 2.4, 2.6),
        },
    )
    command = ("recipes/own.toml", "training.epochs=2", "name=my ears")
    return Facts(
        recipe,
        AudioCaptioner(debug_config()),
        (source(), source("b.jsonl", 10, {"cc-by-4.0": 10})),
        (source(clips=40),),
        Outcome(command, steps=152, best_epoch=2, found=found),
    )


def section(card: str, title: str) -> str:
    return " ".join(card.split(f"## {title}\n")[1].split("\n## ")[0].split())


def test_data_with_hours_and_licences(facts):
    data = section(facts.card(), "Data")
    assert "| clotho.jsonl | training | train | 1,200 | 6.50 | 3 |" in data
    assert "| clotho.jsonl | validation | val | 40 | 6.50 | 3 |" in data
    assert "| CC0 | 1,000 |" in data
    assert "| cc-by-4.0 | 10 |" in data
    assert "| not stated | 50 |" in data  # of training alone
    for note in ("authors are named", "excludes commercial use", "state no licence"):
        assert note in data
    free = replace(facts, train=(source(licences={"CC0": 1}),)).card()
    assert "asks that" not in free
    assert "commercial" not in free


def test_no_licence_is_made_up(facts):
    card = facts.card()
    assert "license:" not in card.split("---")[1]
    assert section(card, "Licence of these weights").startswith("Not stated. It depends")
    given = replace(facts, recipe=replace(facts.recipe, licence="cc-by-nc-4.0")).card()
    assert given.startswith('---\nlicense: "cc-by-nc-4.0"\n')
    assert section(given, "Licence of these weights").startswith("cc-by-nc-4.0 *")


def test_measurements_have_intervals_and_their_number_of_clips(facts):
    measured = section(facts.card(), "Measured")
    assert "| CIDEr-D (simple tokens) | 0.450 | 0.391 to 0.512 |" in measured
    assert "R@1 | 0.200 | 0.100 to 0.325 |" in measured
    assert "On 40 validation clips, 40 of them captioned by beam search" in measured
    assert "chosen on these very clips" in measured
    last = section(facts.but(best_epoch=None).card(), "Measured")
    assert "chosen" not in last
    found = replace(facts.outcome.found, captions=(), intervals={})
    uncaptioned = facts.but(found=found)
    assert "On 40 validation clips. The" in section(uncaptioned.card(), "Measured")


def test_without_validation_it_says_so_or_what_the_recipe_knows(facts):
    nothing = replace(facts.but(found=None), validation=())
    assert section(nothing.card(), "Measured") == "Nothing: the run had no validation clips."
    told = replace(nothing, recipe=replace(facts.recipe, measured="SPIDEr-FL 0.3 on Clotho."))
    assert section(told.card(), "Measured") == "SPIDEr-FL 0.3 on Clotho."


def test_how_to_reproduce_it(facts):
    training = section(facts.card(), "Training")
    assert "152 steps of 16 clips" in training
    assert "seed 5" in training
    assert "epoch 2, best by validation CIDEr-D" in training
    assert "auricle 0." in training
    assert "``` auricle train recipes/own.toml training.epochs=2 'name=my ears' ```" in training
    averaged = replace(facts.recipe, training=replace(facts.recipe.training, average_last=0.1))
    last = section(replace(facts.but(best_epoch=None), recipe=averaged).card(), "Training")
    assert "averaged over the last 10 % of the steps" in last
    several = section(facts.but(processes=4).card(), "Training")
    assert "152 steps of 64 clips" in several
    assert "accelerate launch --num_processes 4 -m auricle train recipes/own.toml" in several


def test_parts_and_limits_are_those_of_the_model(facts):
    card = facts.card()
    assert "BEATs (Chen et al., ICML 2023), github.com/microsoft/unilm (MIT)" in card
    assert "all-MiniLM-L6-v2 (Apache-2.0)" in card
    assert "hears 30 s at most" in card
    assert "16000 Hz" in card
    random = replace(facts, recipe=replace(facts.recipe, encoder_weights="random"))
    assert "Beats with random weights" in random.card()
    other = replace(facts.recipe, text_embedder=EmbedderSpec("me/embedder", ""), start="me/ears")
    card = replace(facts, recipe=other).card()
    assert "* Text embedder: me/embedder; see its own card." in card
    assert "* Started from: me/ears; see its own card." in card
    assert 'base_model: "me/ears"' in card


def test_no_folder_of_ours_is_given_away(facts, tmp_path):
    own = replace(
        facts.recipe, start=str(tmp_path), text_embedder=EmbedderSpec(str(tmp_path / "minilm"), "")
    )
    card = replace(facts, recipe=own).card()
    assert "somebody" not in card
    assert str(tmp_path.parent) not in card
    assert "base_model" not in card
    assert f"* Started from: {tmp_path.name}; see its own card." in card


def test_the_front_matter_is_what_the_hub_reads(facts):
    from huggingface_hub import ModelCard

    read = ModelCard(facts.card()).data.to_dict()
    assert read["library_name"] == "auricle"
    assert read["tags"] == ["audio-captioning"]
    given = replace(facts, recipe=replace(facts.recipe, licence="other: see below"))
    assert ModelCard(given.card()).data.to_dict()["license"] == "other: see below"


def test_a_tuned_encoder_is_not_called_frozen(facts):
    assert "encoder (frozen)" in facts.card()
    training = replace(facts.recipe.training, tune_encoder=True)
    recipe = replace(
        facts.recipe, training=training, data=replace(facts.recipe.data, features="computed")
    )
    assert "encoder (tuned)" in replace(facts, recipe=recipe).card()
    assert "encoder (frozen) | Beats, " in default_card("x", facts.model, "none")


def test_the_embedded_models_card_is_short_and_its_credits_name_every_sound():
    sounds = [
        Sound(f"sound {i}", "pack", ("Dog",), b"", f"author {i}", "CC BY 3.0", f"https://s/{i}")
        for i in range(3)
    ]
    training, unpaired = TrainingConfig(steps=5, batch_size=4), UnpairedConfig("", "", "", "")
    card = tiny_card(Recipe("tiny", "", training, unpaired=unpaired), sounds)
    assert card.startswith("---\nlicense: apache-2.0")
    assert "5 steps of 4 captions" in card
    assert "Nothing yet." in card
    assert "3 sounds" in card
    assert "[CREDITS.md](CREDITS.md)" in card
    assert len(card.splitlines()) < 60
    credits = tiny_credits(sounds)
    assert "CC BY 3.0 (3)." in credits
    for i in range(3):
        assert f"* pack: sound {i}, by author {i}, CC BY 3.0, https://s/{i}\n" in credits
