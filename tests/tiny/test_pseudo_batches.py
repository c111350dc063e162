"""Batches for the embedded model: collation, kept embeddings, steps and processes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from auricle.errors import TrainingError
from auricle.model.config import BeatsConfig, CaptionerConfig, YamnetConfig
from auricle.text.tokenizer import CaptionTokenizer
from auricle.tiny import pseudo_batches
from auricle.tiny.pseudo_batches import PseudoBatches, collate
from auricle.training.batch import Batch
from auricle.training.config import PseudoConfig, TrainingConfig, UnpairedConfig
from auricle.watch import Watch


def test_collate_pads_scales_and_ends_every_caption():
    heard = [np.full((2, 5), 4.0, np.float32), np.full((3, 5), -8.0, np.float32)]
    batch = collate(heard, [[7, 8, 9, 10], [7]], np.eye(2, dtype=np.float32), "log-odds", 2, 4)
    assert batch.audio.shape == (2, 3, 5)
    assert batch.lengths.tolist() == [2, 3]
    assert torch.equal(batch.audio[0, :2], torch.full((2, 5), 2.0))
    assert torch.equal(batch.audio[0, 2:], torch.zeros(1, 5))
    assert torch.equal(batch.audio[1], torch.zeros(3, 5))
    assert batch.labels.tolist() == [[7, 8, 9, 2], [7, 2, -100, -100]]  # cut to 4 with their end


def test_embeddings_are_kept_and_asked_for_once(tmp_path, monkeypatch):
    asked: list[list[str]] = []

    class Embedder:
        def __init__(self, name: str) -> None:
            pass

        def encode(self, texts):
            asked.append(list(texts))
            return torch.tensor([[len(text)] * 384 for text in texts], dtype=torch.float32)

    monkeypatch.setattr(pseudo_batches, "TextEmbedder", Embedder)
    monkeypatch.setattr(pseudo_batches, "EMBEDDED_AT_ONCE", 2)
    vectors = pseudo_batches._Vectors(tmp_path, lambda _: None)
    found = vectors(["a", "bbb", "a", "cc", "dddd"])
    assert found[:, 0].tolist() == [1, 3, 1, 2, 4]
    again = pseudo_batches._Vectors(tmp_path, lambda _: None)
    assert again(["dddd", "bbb"])[:, 0].tolist() == [4, 3]
    assert asked == [["a", "bbb", "cc", "dddd"]]


@pytest.mark.parametrize(
    "encoder", [YamnetConfig(voice=True), YamnetConfig(features="both"), BeatsConfig()]
)
def test_an_encoder_that_gives_more_than_scores_is_refused(tmp_path, encoder):
    config, training = UnpairedConfig("", "", "", ""), TrainingConfig(steps=1)
    model = CaptionerConfig(encoder=encoder)
    with pytest.raises(TrainingError, match="voice = false"):
        PseudoBatches(config, PseudoConfig(), training, model, tmp_path / "work", Watch())
    assert not (tmp_path / "work").exists()


@pytest.fixture
def pseudo():
    """``pseudo(world, **training)``: batches of 60 captions, of recordings drawn at random."""

    def make(world: int = 1, **training: int) -> PseudoBatches:
        made = object.__new__(PseudoBatches)  # the rest of it prepares sounds and tags
        captions = [f"a sound and {'another ' * (i % 7)}{i}" for i in range(60)]
        made.config = UnpairedConfig("", "", "", "")
        made.training = TrainingConfig(steps=9, **{"batch_size": 2, **training})
        made.model, made.world, made.scale = CaptionerConfig(), world, "log-odds"
        made.captions, made._scenes = captions, list(range(60))
        made.tokenizer = CaptionTokenizer.train(captions, 300)
        made._lengths = np.array([len(made.tokenizer.encode(text)) for text in captions])
        made._vectors = lambda texts: np.array([[len(t), sum(t.encode())] for t in texts], "f4")
        made._plain = [(np.zeros((9, 5), "f4"), ("nothing",))]
        made._classes, made._class_odds = [(0, ("a dog",))], [1.0]
        made.pseudo = SimpleNamespace(
            draw=lambda scene, rng, frames, clean=False: rng.normal(scene, 1, (frames, 5))
        )
        made._epoch = (-1, [])
        return made

    return make


def same(one: Batch, other: Batch) -> bool:
    pairs = [(getattr(one, n), getattr(other, n)) for n in ("audio", "lengths", "text_embeddings")]
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_step_is_the_same_in_any_order(pseudo):
    straight, jumping = pseudo(), pseudo()
    assert straight.steps_per_epoch == 24
    expected = {step: straight.at(step)[0] for step in range(1, 31)}
    for step in (30, 2, 25, 24):
        assert same(jumping.at(step)[0], expected[step])
    assert not same(expected[1], expected[25])


def test_processes_share_a_larger_batch(pseudo):
    (whole,) = pseudo(batch_size=4).at(5)
    parts = [pseudo(world=2).at(5, rank, 2)[0] for rank in (0, 1)]
    assert [len(part) for part in parts] == [2, 2]
    for rank, part in enumerate(parts):
        assert torch.equal(part.text_embeddings, whole.text_embeddings[rank::2])
        assert torch.equal(part.audio, whole.audio[rank::2])


def test_a_step_has_several_micro_batches(pseudo):
    accumulated = pseudo(accumulate=2)
    assert accumulated.steps_per_epoch == 12
    assert all(map(same, accumulated.at(3), [pseudo().at(5)[0], pseudo().at(6)[0]]))


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
