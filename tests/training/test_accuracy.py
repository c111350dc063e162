"""Next-token accuracy: as a Trainer's compute_metrics has it, and monitored."""

from pathlib import Path

import numpy as np
import pytest
import torch

from auricle.decoding.options import DecodeOptions
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import pad_audio, pad_labels
from auricle.training.checkpoints import Best, State
from auricle.training.config import TrainingConfig, ValidationConfig
from auricle.training.paired_batches import ValidationBatch
from auricle.training.recipe import load_recipe
from auricle.training.validation import validate
from tests.helpers.paths import RECIPES

PAPER = RECIPES / "paper"
CAPTIONS = (("a dog barks", "a dog barks while rain falls on a roof"), ("rain falls",), ("wind",))


@torch.no_grad()
def test_accuracy_is_the_share_of_labels_that_are_the_argmax():
    tokenizer = CaptionTokenizer.train([text for clip in CAPTIONS for text in clip], 270)
    torch.manual_seed(1)
    model = AudioCaptioner(debug_config(vocab_size=tokenizer.vocab_size, embedding_dim=16)).eval()
    model.decoder.logits_bias[tokenizer.encode("a")[0]] = 1.0  # else it would hardly ever be right
    noise = np.random.default_rng(0)
    audio = [noise.standard_normal(n).astype(np.float32) * 0.1 for n in (16_000, 9_000, 12_000)]
    batch = ValidationBatch(
        *pad_audio(audio), CAPTIONS, ("0", "1", "2"), tuple(map(Path, "012")), (0, 1, 2)
    )
    found = validate(
        model,
        [batch],
        tokenizer,
        None,
        TrainingConfig(steps=1),
        ValidationConfig(),
        DecodeOptions(),
        with_captions=False,
    )
    # As a Trainer's compute_metrics receives them: all rows, labels padded with -100.
    rows = [(i, text) for i, clip in enumerate(CAPTIONS) for text in clip]
    labels = pad_labels([tokenizer.encode(text) for _, text in rows], 2, 64)
    memory = model.encode([audio[i] for i, _ in rows])
    shifted = torch.cat([torch.full((len(rows), 1), 2), labels[:, :-1]], dim=1)
    logits = model.logits(memory, shifted.masked_fill(shifted == -100, 1))
    counted = labels.numpy() != -100
    expected = (logits.argmax(-1).numpy() == labels.numpy())[counted].mean()
    assert 0 < expected < 1
    assert found.accuracy == pytest.approx(expected)
    assert found.values()["accuracy"] == found.accuracy == found.intervals["accuracy"].value


def test_the_highest_accuracy_is_the_best_and_the_papers_recipe_selects_by_it():
    values = {"accuracy": 0.4, "loss": 2.0}
    best = Best.of(values, "accuracy", 3)
    assert State(best=(best,)).improved_by({"accuracy": 0.5}, "accuracy")
    assert not State(best=(best,)).improved_by({"accuracy": 0.3}, "accuracy")
    assert load_recipe(PAPER / "pretrain").validation.monitor == "accuracy"
