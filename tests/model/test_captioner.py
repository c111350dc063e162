"""A clip alone, batched and padded is the same; cached, shared and plain decoding are the same."""

import pytest
import torch

from auricle.errors import ModelError
from auricle.hub import load_published
from auricle.model.bart import DecoderCache
from auricle.model.config import CaptionerConfig
from auricle.model.conformer import relative_shift
from tests.helpers.paths import GOLDEN


@pytest.fixture(scope="module")
def model():
    return load_published(GOLDEN)


@pytest.fixture(scope="module")
def clips():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, generator=generator) * 0.1 for n in (40_000, 27_123, 16_000, 900)]


@torch.no_grad()
def test_a_clip_alone_equals_the_same_clip_in_a_padded_batch(model, clips):
    together = model.encode(clips)
    for i, clip in enumerate(clips):
        alone = model.encode([clip])
        frames = int(alone.lengths[0])
        assert frames == int(together.lengths[i])
        torch.testing.assert_close(
            together.memory[i, :frames], alone.memory[0, :frames], atol=1e-4, rtol=0
        )
        torch.testing.assert_close(together.embedding[i], alone.embedding[0], atol=1e-4, rtol=0)
        ids = torch.tensor([[2, 5, 9]] * len(clips))
        torch.testing.assert_close(
            model.logits(together, ids)[i], model.logits(alone, ids[:1])[0], atol=1e-4, rtol=0
        )


@torch.no_grad()
def test_the_published_behaviour_differs_in_a_batch_and_not_alone(model, clips):
    published = load_published(GOLDEN, published_behaviour=True)
    torch.testing.assert_close(
        published.encode(clips[:1]).embedding, model.encode(clips[:1]).embedding
    )
    difference = published.encode(clips).embedding - model.encode(clips).embedding
    assert difference[1].abs().max() > 1e-3


@torch.no_grad()
def test_cached_decoding_equals_uncached(model, clips):
    memory = model.encode(clips[:2])
    cross = model.decoder.read_memory(memory.memory, memory.lengths)
    ids = torch.randint(3, 100, (6, 7), generator=torch.Generator().manual_seed(1))
    whole = model.decoder(ids, cross)
    cache = DecoderCache(model.config.decoder, 6, 7, like=cross.keys[0])
    steps = [model.decoder(ids[:, i : i + 1], cross, cache) for i in range(7)]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_rows_that_share_a_clip_equal_expanded_memory(model, clips):
    memory = model.encode(clips[:2])
    ids = torch.randint(3, 100, (6, 5), generator=torch.Generator().manual_seed(2))
    shared = model.logits(memory, ids)
    expanded = model.decoder(
        ids,
        model.decoder.read_memory(
            memory.memory.repeat_interleave(3, 0), memory.lengths.repeat_interleave(3)
        ),
    )
    torch.testing.assert_close(shared, expanded, atol=1e-4, rtol=1e-4)


def test_relative_shift_equals_indexing():
    scores = torch.randn(2, 5, 9)
    shifted = relative_shift(scores)
    for i in range(5):
        for j in range(5):
            assert torch.equal(shifted[:, i, j], scores[:, i, 4 - i + j])


def test_training_mode_leaves_the_frozen_encoder_in_eval_mode():
    model = load_published(GOLDEN).train()
    assert model.conformer.training
    assert not any(module.training for module in model.encoder.modules())
    assert not any(p.requires_grad for p in model.encoder.parameters())


def test_padding_stays_out_of_the_batch_statistics(clips):
    alone, padded = load_published(GOLDEN).train(), load_published(GOLDEN).train()
    for captioner, size in ((alone, 39), (padded, 60)):
        features = torch.zeros(2, size, 64)
        features[:, :39] = torch.randn(2, 39, 64, generator=torch.Generator().manual_seed(3))
        captioner.conformer.dropout.p = 0.0
        layer = captioner.conformer.layers[0].conv
        layer.dropout.p = 0.0
        mask = (torch.arange(size) < 39).expand(2, size)
        layer(features, mask)
    buffers = [c.conformer.layers[0].conv.batch_norm.running_var for c in (alone, padded)]
    torch.testing.assert_close(*buffers)


def test_a_recording_longer_than_the_positions_is_refused(model):
    with pytest.raises(ValueError, match="shorter windows"):
        model.decoder.read_memory(torch.zeros(1, 65, 64), torch.tensor([65]))


def test_configuration_round_trip(model):
    assert CaptionerConfig.from_dict(model.config.to_dict()) == model.config


def test_an_unknown_configuration_key_is_named():
    with pytest.raises(ModelError, match=r"key .conformer\.dims. is unknown; did you mean .dim."):
        CaptionerConfig.from_dict({"conformer": {"dims": 3}})
