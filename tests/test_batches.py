"""Batches for the embedded model: collation, kept embeddings, and the model card."""

import numpy as np
import pytest
import torch

from auricle.training.card import model_card
from auricle.training.loop import TrainingConfig
from auricle.training.recipe import Recipe
from auricle.training.unpaired import batches
from auricle.training.unpaired.batches import collate
from auricle.training.unpaired.sounds import Sound


def test_collate_pads_scales_and_ends_every_caption():
    heard = [np.full((2, 5), 4.0, np.float32), np.full((3, 5), -8.0, np.float32)]
    batch = collate(heard, [[7, 8, 9, 10], [7]], np.eye(2, dtype=np.float32), "log-odds", 2, 3)
    assert batch.features.shape == (2, 3, 5)
    assert batch.lengths.tolist() == [2, 3]
    assert torch.equal(batch.features[0, :2], torch.full((2, 5), 2.0))
    assert torch.equal(batch.features[0, 2:], torch.zeros(1, 5))
    assert torch.equal(batch.features[1], torch.zeros(3, 5))
    assert batch.labels.tolist() == [[7, 8, 9, 2], [7, 2, -100, -100]]  # cut to 3 tokens, ended


def test_embeddings_are_kept_and_asked_for_once(tmp_path, monkeypatch):
    asked: list[list[str]] = []

    class Embedder:
        def __init__(self, name: str) -> None:
            self.model = self

        def encode(self, texts, normalize_embeddings, batch_size):
            asked.append(list(texts))
            return np.array([[len(text)] * 384 for text in texts], dtype=np.float32)

    monkeypatch.setattr(batches, "TextEmbedder", Embedder)
    monkeypatch.setattr(batches, "EMBEDDED_AT_ONCE", 2)
    vectors = batches._Vectors(tmp_path, lambda _: None)
    found = vectors(["a", "bbb", "a", "cc", "dddd"])
    assert found[:, 0].tolist() == [1, 3, 1, 2, 4]
    again = batches._Vectors(tmp_path, lambda _: None)
    assert again(["dddd", "bbb"])[:, 0].tolist() == [4, 3]
    assert asked == [["a", "bbb", "cc", "dddd"]]


def test_the_card_credits_every_sound():
    sounds = [
        Sound(f"sound {i}", "pack", ("Dog",), b"", f"author {i}", "CC BY 3.0", f"https://s/{i}")
        for i in range(3)
    ]
    card = model_card(Recipe("tiny", "out", TrainingConfig(steps=5, batch_size=4)), sounds)
    assert card.startswith("---\nlicense: apache-2.0")
    assert "5 steps of 4 captions" in card
    for i in range(3):
        assert f"sound {i}, by author {i}, CC BY 3.0, https://s/{i}" in card


@pytest.mark.parametrize("scale", ["posterior", "sqrt-odds", "log-odds"])
def test_scales_of_the_scores_rise_with_them(scale):
    from auricle.model.yamnet import scaled

    odds = torch.linspace(-7.5, 3.5, 50)
    values = scaled(odds, scale)
    assert (values.diff() > 0).all()
    posterior = odds.sigmoid()
    if scale == "sqrt-odds":
        expected = posterior.sqrt() / (posterior.sqrt() + (1 - posterior).sqrt())
        assert torch.allclose(values, expected, atol=1e-5)
