"""Recall against a slow count."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from auricle.metrics.retrieval import recall_at, retrieval_ranks


def slow_ranks(queries, keys, belongs):
    """By the definition: one more than the keys that are as near and not the query's own."""
    ranks = []
    for q, query in enumerate(queries):
        cosines = [float(query @ key) for key in keys]
        best = max(c for k, c in enumerate(cosines) if belongs(q, k))
        ranks.append(1 + sum(c >= best and not belongs(q, k) for k, c in enumerate(cosines)))
    return ranks


def test_ranks_equal_a_slow_count_in_chunks_of_any_size(monkeypatch):
    torch.manual_seed(0)
    audio, text = (F.normalize(torch.randn(n, 6, dtype=torch.float64), dim=-1) for n in (20, 50))
    owner = torch.cat([torch.arange(20), torch.randint(20, (30,))])
    expected_audio = slow_ranks(audio, text, lambda clip, caption: owner[caption] == clip)
    expected_text = slow_ranks(text, audio, lambda caption, clip: owner[caption] == clip)
    for chunk in (1, 7, 1024):
        monkeypatch.setattr("auricle.metrics.retrieval.CHUNK", chunk)
        found = retrieval_ranks(audio, text, owner)
        assert found["audio_to_text"].tolist() == expected_audio
        assert found["text_to_audio"].tolist() == expected_text
    recall = recall_at(audio, text, owner, ks=(1, 5))
    assert recall["audio_to_text_r5"] == pytest.approx(np.mean(np.array(expected_audio) <= 5))
    assert recall["text_to_audio_r1"] == pytest.approx(np.mean(np.array(expected_text) <= 1))
    assert set(recall) == {f"{way}_r{k}" for way in found for k in (1, 5)}


def test_a_model_that_says_the_same_of_everything_finds_nothing():
    text = torch.eye(8)
    for audio in (torch.ones(8, 8), torch.full((8, 8), torch.nan)):
        recall = recall_at(audio, text, torch.arange(8), ks=(1, 7, 8))
        assert recall["audio_to_text_r7"] == recall["text_to_audio_r7"] == 0.0
        assert recall["audio_to_text_r8"] == 1.0


def test_clips_captioned_alike_are_no_errors_of_each_other():
    audio, text = torch.eye(3)[[0, 0, 1, 2]], torch.eye(3)[[0, 0, 1, 2]]  # clips 0 and 1: "a dog"
    assert set(recall_at(audio, text, torch.arange(4), ks=(1,)).values()) == {1.0}
    other = text + torch.tensor([[0.0], [0.1], [0.0], [0.0]])  # said in other words
    ranks = retrieval_ranks(audio, other, torch.arange(4))
    assert ranks["audio_to_text"].tolist() == [1, 2, 1, 1]


def test_a_clip_without_captions_is_a_miss():
    ranks = retrieval_ranks(torch.eye(3), torch.eye(3)[:2], torch.tensor([0, 1]))
    assert ranks["audio_to_text"].tolist() == [1, 1, 3]
