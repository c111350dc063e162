"""Pooling: padded is as alone, and attention hears the order that a mean loses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from auricle.errors import ModelError
from auricle.hub.folder import Bundle, load_bundle, save_bundle
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import CaptionerConfig, EmbeddingConfig, debug_config
from auricle.model.pooling import EmbeddingHead, QueryPooling, SelfAttentionPooling, places

ATTENTION = ["query", "self-attention"]
KINDS = ["mean", *ATTENTION]


def config(pooling, heads=4):
    base = debug_config()
    return replace(base, embedding=replace(base.embedding, pooling=pooling, pooling_heads=heads))


@pytest.mark.parametrize("pooling", KINDS)
@torch.no_grad()
def test_a_clip_alone_equals_the_same_clip_in_a_padded_batch(pooling):
    torch.manual_seed(0)
    head = EmbeddingHead(config(pooling).embedding, 48).eval()
    x, lengths = torch.randn(3, 30, 48), torch.tensor([30, 17, 1])
    together = head(x, lengths)
    for row, length in enumerate(lengths):
        alone = head(x[row : row + 1, :length], length.view(1))
        torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=0)
    assert together.isfinite().all()


@pytest.mark.parametrize("pooling", KINDS)
@torch.no_grad()
def test_whole_models_embed_padded_clips_as_alone(pooling):
    torch.manual_seed(0)
    model = AudioCaptioner(config(pooling)).eval()
    clips = [torch.randn(n) * 0.1 for n in (40_000, 27_123, 900)]
    together = model.encode(clips).embedding
    for row, clip in enumerate(clips):
        torch.testing.assert_close(
            together[row], model.encode([clip]).embedding[0], atol=1e-4, rtol=0
        )


def test_a_query_equals_its_definition():
    torch.manual_seed(0)
    pooling, x, lengths = QueryPooling(12, 3), torch.randn(2, 7, 12), torch.tensor([7, 4])
    pooled = pooling(x, lengths)
    for row, length in enumerate(lengths.tolist()):
        frames = x[row, :length]
        share = torch.linspace(0, 1, length)
        turns = torch.stack([torch.cos(torch.pi * k * share) for k in range(1, 9)], dim=1)
        key, value = pooling.key(frames + turns @ pooling.place), pooling.value(frames)
        for head in range(3):
            own = slice(4 * head, 4 * head + 4)
            weights = (key[:, own] @ pooling.query[head] / 2).softmax(0)
            torch.testing.assert_close(pooled[row, own], weights @ value[:, own])


def test_self_attention_equals_its_definition():
    torch.manual_seed(0)
    pooling, x = SelfAttentionPooling(12, 3), torch.randn(2, 7, 12)
    lengths = torch.tensor([7, 4])
    pooled = pooling(x, lengths)
    for row, length in enumerate(lengths.tolist()):
        frames = x[row, :length]
        placed = frames + places(lengths, 7)[row, :length] @ pooling.place
        heads = []
        for head in range(3):
            own = slice(4 * head, 4 * head + 4)
            scores = pooling.query(placed)[:, own] @ pooling.key(placed)[:, own].T / 2
            heads.append(scores.softmax(1) @ pooling.value(frames)[:, own])
        expected = (frames + pooling.out(torch.cat(heads, 1))).mean(0)
        torch.testing.assert_close(pooled[row], expected)


def ordered_clips(count, generator):
    """Clips of sound a then b (label 1) or b then a (0), of 6 to 24 frames of 16 noisy values."""
    lengths = torch.randint(6, 25, (count,), generator=generator)
    change = (lengths * (0.3 + 0.4 * torch.rand(count, generator=generator))).round()
    labels = torch.randint(0, 2, (count,), generator=generator)
    frame = torch.arange(24)
    first = frame < change.unsqueeze(1)
    is_a = first == labels.bool().unsqueeze(1)
    sounds = torch.randn(2, 16, generator=torch.Generator().manual_seed(9))
    x = sounds[is_a.long()] + 0.5 * torch.randn(count, 24, 16, generator=generator)
    return x, lengths, labels


@pytest.mark.parametrize(
    ("pooling", "least", "most"), [("mean", 0.4, 0.6), *[(k, 0.95, 1) for k in ATTENTION]]
)
def test_attention_learns_the_order_of_sounds(pooling, least, most):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    head = EmbeddingHead(EmbeddingConfig(hidden_dim=32, dim=2, pooling=pooling), 16)
    optimiser = torch.optim.AdamW(head.parameters(), lr=3e-3)
    for _ in range(250):
        x, lengths, labels = ordered_clips(64, generator)
        loss = F.cross_entropy(head(x, lengths), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    x, lengths, labels = ordered_clips(1000, torch.Generator().manual_seed(1))
    accuracy = (head.eval()(x, lengths).argmax(1) == labels).float().mean()
    assert least <= accuracy <= most


def test_old_model_folders_pool_by_the_mean():
    values = debug_config().to_dict()
    for key in ("pooling", "pooling_heads"):
        del values["embedding"][key]
    old = CaptionerConfig.from_dict(values)
    assert old == debug_config()
    assert old.embedding.pooling == "mean"
    keys = AudioCaptioner(old).embedding_head.state_dict().keys()
    assert not [key for key in keys if key.startswith("pooling")]


@pytest.mark.parametrize("pooling", ATTENTION)
def test_model_folders_keep_the_pooling(pooling, tmp_path):
    model = AudioCaptioner(config(pooling)).eval()
    save_bundle(tmp_path, Bundle("a", model, None))
    again = load_bundle(tmp_path).model
    assert again.config == model.config
    clip = [torch.randn(16_000) * 0.1]
    with torch.no_grad():
        torch.testing.assert_close(again.encode(clip).embedding, model.encode(clip).embedding)


def test_wrong_poolings_are_named():
    with pytest.raises(ModelError, match="pooling is 'max'"):
        CaptionerConfig.from_dict({"embedding": {"pooling": "max"}})
    with pytest.raises(ModelError, match="pooling 'max'"):
        EmbeddingConfig(pooling="max")
    with pytest.raises(ModelError, match="pooling_heads 0: must be at least 1"):
        EmbeddingConfig(pooling_heads=0)
    with pytest.raises(ModelError, match="pooling_heads 5: must divide the decoder's width, 48"):
        config("query", 5)
    with pytest.raises(ModelError, match="published_behaviour supports only the mean"):
        replace(config("query"), published_behaviour=True)
    assert config("mean", 5).embedding.pooling_heads == 5  # not used
