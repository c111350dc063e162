"""Validation against slow versions one clip at a time; the run it interrupts notices nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from auricle.decoding.options import DecodeOptions
from auricle.errors import DataError
from auricle.hub.ensemble import Ensemble
from auricle.hub.folder import Bundle, EmbedderSpec
from auricle.metrics.retrieval import recall_at
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.model.teacher_forcing import decoder_inputs
from auricle.pipeline import Captioner
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import pad_audio
from auricle.training.config import TrainingConfig, ValidationConfig
from auricle.training.objective import info_nce, label_smoothed_nll
from auricle.training.paired_batches import ValidationBatch
from auricle.training.validation import validate

CAPTIONS = (
    ("a dog barks", "a dog barks while rain falls on a roof", "barking"),
    ("rain falls",),
    ("people talk as wind blows", "people talk"),
    ("wind blows in the distance",),
    ("a dog barks",),  # as the first clip
)
TRAINING = TrainingConfig(steps=1, batch_size=2, temperature=0.2, info_nce_weight=0.5)
BEAM = DecodeOptions(method="beam", candidates=3, max_length=12)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = AudioCaptioner(debug_config(vocab_size=300, embedding_dim=16))
    torch.nn.init.normal_(model.decoder.tokens.weight, std=0.2)
    return model.train()


@pytest.fixture(scope="module")
def tokenizer():
    return CaptionTokenizer.train([" ".join(text for clip in CAPTIONS for text in clip)], 300)


@pytest.fixture(scope="module")
def waveforms():
    noise = np.random.default_rng(0)
    seconds = (1.0, 0.5, 2.0, 1.5, 0.7)
    return [(noise.standard_normal(int(16_000 * s)) * 0.1).astype(np.float32) for s in seconds]


def embed(texts):
    seeds = [sum(map(ord, text)) for text in texts]
    rows = [torch.randn(16, generator=torch.Generator().manual_seed(s)) for s in seeds]
    return F.normalize(torch.stack(rows), dim=-1)


def batches(audio, *orders):
    for order in orders:
        yield ValidationBatch(
            *pad_audio([audio[i] for i in order]),
            captions=tuple(CAPTIONS[i] for i in order),
            ids=tuple(f"clip {i}" for i in order),
            paths=tuple(Path(f"{i}.wav") for i in order),
            indices=tuple(order),
        )


def run(model, tokenizer, audio, *orders, embed=embed, decoding=BEAM, captions=True, clips=0):
    config = ValidationConfig(clips=clips)
    data = batches(audio, *orders)
    return validate(
        model, data, tokenizer, embed, TRAINING, config, decoding, with_captions=captions
    )


def test_losses_equal_those_of_one_caption_at_a_time(model, tokenizer, waveforms):
    found = run(model, tokenizer, waveforms, [1, 0, 4], [3, 2], captions=False)
    total, tokens, audio = 0.0, 0, []
    model.eval()
    for waveform, captions in zip(waveforms, CAPTIONS, strict=True):
        with torch.no_grad():
            memory = model.encode([waveform])
            audio.append(memory.embedding[0])
            for text in captions:
                labels = torch.tensor([[*tokenizer.encode(text), 2]])
                logits = model.logits(memory, decoder_inputs(labels, 2, 1))
                total += label_smoothed_nll(logits, labels, 0.1).item() * labels.numel()
                tokens += labels.numel()
    model.train()
    order = np.random.default_rng(0).permutation(5)
    contrast = np.mean(
        [
            info_nce(
                torch.stack([audio[i] for i in pair]), embed([CAPTIONS[i][0] for i in pair]), 0.2
            ).item()
            for pair in (order[:2], order[2:4])
        ]
    )
    assert found.clips == 5
    assert found.losses["nll"] == pytest.approx(total / tokens, abs=1e-4)
    assert found.losses["info_nce"] == pytest.approx(contrast, abs=1e-4)
    assert found.losses["loss"] == pytest.approx(total / tokens + 0.5 * contrast, abs=1e-4)
    assert found.captions == ()
    assert found.cider_d is None
    assert found.values().keys() == {"nll", "info_nce", "loss", "recall", "accuracy"}


def test_batches_and_their_order_change_nothing(model, tokenizer, waveforms):
    one = run(model, tokenizer, waveforms, [0, 1, 2, 3, 4])
    for orders in ([[4], [2], [0], [1], [3]], [[3, 1], [4, 0, 2]]):
        other = run(model, tokenizer, waveforms, *orders)
        assert other.captions == one.captions
        assert other.values() == pytest.approx(one.values(), abs=1e-4)
        assert other.recall == one.recall
    assert [caption.id for caption in one.captions] == [f"clip {i}" for i in range(5)]


def test_the_run_it_interrupts_notices_nothing(model, tokenizer, waveforms):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    nucleus = DecodeOptions(candidates=3, max_length=8)
    run(model, tokenizer, waveforms, [0, 1], [2, 3, 4], decoding=nucleus, captions=True)
    assert torch.equal(torch.rand(3), expected)
    assert model.training
    assert model.conformer.training
    assert not model.encoder.training
    for key, value in model.state_dict().items():  # batch normalisation's averages among them
        assert torch.equal(value, before[key]), key
    assert all(p.grad is None for p in model.parameters())


def test_the_model_is_put_back_when_something_breaks(model, tokenizer, waveforms):
    def broken():
        yield from batches(waveforms, [0])
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        validate(
            model, broken(), tokenizer, embed, TRAINING, ValidationConfig(), BEAM,
            with_captions=False,
        )  # fmt: skip
    assert model.training
    with pytest.raises(DataError, match="no validation clip"):
        run(model, tokenizer, waveforms)


def test_captions_are_those_of_the_pipeline(model, tokenizer, waveforms, monkeypatch):
    monkeypatch.setattr(
        "auricle.hub.ensemble.TextEmbedder", lambda *_: type("E", (), {"embed": embed})
    )
    bundle = Bundle("debug", model.eval(), tokenizer, EmbedderSpec("none", ""), BEAM)
    expected = [
        found.caption
        for found in Captioner(Ensemble.of(bundle)).caption(waveforms, sample_rate=16_000)
    ]
    found = run(model.train(), tokenizer, waveforms, [4, 1, 0], [2, 3])
    assert [caption.caption for caption in found.captions] == expected
    assert [caption.references for caption in found.captions] == list(CAPTIONS)
    assert found.captions[2].audio == Path("2.wav")
    assert found.values()["cider_d"] == found.cider_d >= 0.0


def test_the_first_clips_of_the_manifests_are_captioned(model, tokenizer, waveforms):
    found = run(model, tokenizer, waveforms, [4, 1], [2, 0, 3], clips=2)
    assert [caption.id for caption in found.captions] == ["clip 0", "clip 1"]
    assert found.clips == 5
    alone = run(model, tokenizer, waveforms, [4, 1], [2, 0, 3], clips=1)
    assert alone.captions == found.captions[:1]
    assert alone.cider_d is None  # of one clip it would be 0, whatever is said


def test_recall_and_intervals(model, tokenizer, waveforms):
    found = run(model, tokenizer, waveforms, [0, 1, 2, 3, 4], captions=False)
    model.eval()
    with torch.no_grad():
        audio = model.encode(waveforms).embedding
    model.train()
    owner = torch.tensor([0, 0, 0, 1, 2, 2, 3, 4])
    texts = embed([text for clip in CAPTIONS for text in clip])
    assert found.recall == pytest.approx(recall_at(audio, texts, owner))
    assert found.values()["recall"] == found.recall["audio_to_text_r1"]
    assert found.intervals.keys() == {"nll", "accuracy", *found.recall}
    for name, (value, low, high) in found.intervals.items():
        assert value == {**found.values(), **found.recall}[name]
        assert low <= value <= high


def test_features_and_waveforms_are_heard_alike(model, tokenizer, waveforms):
    model.eval()
    with torch.no_grad():
        features = []
        for waveform in waveforms:
            sound = torch.from_numpy(waveform)[None]
            features.append(model.encoder(sound, torch.tensor([len(waveform)]))[0][0].numpy())
    model.train()
    heard = run(model, tokenizer, waveforms, [0, 1, 2], [3, 4], captions=False)
    stored = run(model, tokenizer, features, [0, 1, 2], [3, 4], captions=False)
    assert stored.losses == pytest.approx(heard.losses, abs=1e-4)


def test_without_text_embeddings_only_the_likelihood_is_measured(model, tokenizer, waveforms):
    found = run(model, tokenizer, waveforms, [0, 1, 2, 3, 4], embed=None, captions=False)
    assert found.values().keys() == {"nll", "loss", "accuracy"}
    assert found.losses["loss"] == found.losses["nll"]
    assert found.recall == {}
