"""A model in the place of a file: an ensemble's embeddings as one, clips that cannot be heard."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from torch.nn import functional as F

from auricle.data.clip import Clip
from auricle.decoding.joint_space import joined
from auricle.errors import DataError
from auricle.evaluation.captioning import _measured, caption_clips, retrieval
from auricle.evaluation.references import Reference
from auricle.model.captioner import AudioCaptioner
from auricle.watch import Watch
from tests.helpers.models import captioner_of, make_bundle, make_ensemble


def test_cosines_of_joined_vectors_are_the_members_weighted_mean():
    scorers = [SimpleNamespace(embedder=1, similarity_weight=w) for w in (3.0, 1.0)]
    scorers.append(SimpleNamespace(embedder=None, similarity_weight=9.0))
    audio, text = ([torch.randn(4, size) for size in (5, 7)] for _ in range(2))
    mean = 0.75 * F.cosine_similarity(audio[0], text[0])
    mean = mean + 0.25 * F.cosine_similarity(audio[1], text[1])
    found = F.cosine_similarity(joined(scorers, audio), joined(scorers, text))
    assert found.tolist() == pytest.approx(mean.tolist(), abs=1e-6)


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
    captioner = captioner_of(make_bundle(0))
    gone = Clip(tmp_path / "gone.wav", ("x",), "b", "test")
    clips = [Reference("a", ("x",), "", ()), Reference("b", ("x",), "", (), gone)]
    told = []
    watch = Watch(told.append)
    found = caption_clips(captioner, clips, tmp_path / "o.jsonl", watch=watch)
    assert (found.predictions, found.embeddings) == ([], {})
    assert told[0] == "a: no recording"
    assert told[1].startswith("b: ")
    assert "gone.wav" in told[1]


def test_a_clip_is_encoded_once_for_its_caption_and_retrieval(tmp_path, monkeypatch):
    captioner = captioner_of(make_ensemble([make_bundle(0), make_bundle(1)]))
    encoded = []
    original = AudioCaptioner.features
    monkeypatch.setattr(
        AudioCaptioner, "features", lambda *a: encoded.append(a[2].tolist()) or original(*a)
    )
    clips = []
    for number in range(3):
        noise = np.random.default_rng(number).standard_normal(8000 + 1000 * number) * 0.1
        soundfile.write(tmp_path / f"{number}.wav", noise, 16_000)
        clip = Clip(tmp_path / f"{number}.wav", ("rain",), str(number))
        clips.append(Reference(str(number), ("rain falls", f"a dog {number}"), "", (), clip))
    found = caption_clips(captioner, clips, tmp_path / "o.jsonl")
    measured = retrieval(captioner, clips, found.embeddings)
    assert encoded == [[8000, 9000, 10_000]]
    assert "R@1, audio to text" in [m.score.name for m in measured]
    single = captioner.models[0].encode([soundfile.read(tmp_path / "1.wav")[0]])
    half = F.normalize(single.embedding[0], dim=0) * 0.5**0.5
    assert torch.allclose(found.embeddings["1"][: len(half)], half, atol=1e-4)
