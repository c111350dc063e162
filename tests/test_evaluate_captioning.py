"""A model in the place of a file: an ensemble's embeddings as one, clips that cannot be heard."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from auricle.data.clip import Clip
from auricle.errors import DataError
from auricle.evaluation.captioning import _joined, _measured, caption_clips
from auricle.evaluation.references import Reference


def test_cosines_of_joined_vectors_are_the_members_weighted_mean():
    scorers = [SimpleNamespace(embedder=1, similarity_weight=w) for w in (3.0, 1.0)]
    scorers.append(SimpleNamespace(embedder=None, similarity_weight=9.0))
    captioner = SimpleNamespace(scorers=scorers)
    audio, text = ([torch.randn(4, size) for size in (5, 7)] for _ in range(2))
    mean = 0.75 * F.cosine_similarity(audio[0], text[0])
    mean = mean + 0.25 * F.cosine_similarity(audio[1], text[1])
    joined = F.cosine_similarity(_joined(captioner, audio), _joined(captioner, text))
    assert joined.tolist() == pytest.approx(mean.tolist(), abs=1e-6)


def test_captions_count_alike_though_clips_have_different_numbers():
    hits = torch.tensor([1.0, 0.0, 0.0, 1.0])
    found = _measured("R@1", hits, [3, 1])
    assert found.score.corpus == pytest.approx(0.5)
    assert found.score.items == pytest.approx((1 / 3, 1.0))


def test_references_without_recordings_cannot_be_captioned(tmp_path):
    clips = [Reference("a", ("x",), "r.csv:2", ())]
    with pytest.raises(DataError, match="--audio"):
        caption_clips(None, clips, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_what_cannot_be_heard_is_told(tmp_path):
    captioner = SimpleNamespace(sample_rate_hz=16_000, max_duration_s=30.0)
    captioner.stream = lambda waveforms, **_: iter(list(waveforms))
    gone = Clip(tmp_path / "gone.wav", ("x",), "b", "test")
    clips = [Reference("a", ("x",), "", ()), Reference("b", ("x",), "", (), gone)]
    told = []
    assert caption_clips(captioner, clips, tmp_path / "o.jsonl", lambda *t: told.append(t)) == []
    assert [clip for clip, _ in told] == ["a", "b"]
    assert "gone.wav" in told[1][1]
