"""Hearing for an index: what is stored is what the captioner says, from one hearing."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from auricle.errors import ModelError
from auricle.search.hear import Listener
from auricle.search.rows import Indexed
from tests.helpers.models import captioner_of, make_bundle
from tests.search.conftest import write_noise

MODEL = make_bundle(0)


def indexed(path) -> Indexed:
    return Indexed(str(path), 1, 1, "c")


@pytest.fixture(scope="module")
def captioner():
    return captioner_of(MODEL)


def test_a_short_recording_is_one_sound_with_the_captioners_caption_and_vector(captioner, tmp_path):
    paths = [write_noise(tmp_path / f"{n}.wav", n, 0.5 + 0.3 * n) for n in range(3)]
    found = [*Listener(captioner).short(map(indexed, paths))]
    captions, vectors = captioner.caption(paths), captioner.embed_audio(paths).numpy()
    for path, one, caption, vector in zip(paths, found, captions, vectors, strict=True):
        (sound,) = one.sounds
        assert (one.file.audio, one.end_s, one.error) == (str(path), caption.end_s, None)
        assert (sound.caption, sound.score) == (caption.caption, caption.score)
        assert (sound.start_s, sound.end_s, sound.segment) == (0.0, caption.end_s, False)
        np.testing.assert_allclose(sound.vector, vector, atol=1e-5)
        assert np.linalg.norm(sound.vector) == pytest.approx(1, abs=1e-5)
        assert len(one.words)


def test_a_broken_recording_comes_with_its_error_in_its_place(captioner, tmp_path):
    (tmp_path / "b.wav").write_bytes(b"nothing")
    good = write_noise(tmp_path / "a.wav", 0)
    found = [*Listener(captioner).short(map(indexed, [tmp_path / "b.wav", good]))]
    assert "b.wav" in str(found[0].error)
    assert found[0].sounds == ()
    assert found[1].sounds


def test_silence_has_neither_vector_nor_classes(captioner, tmp_path):
    soundfile.write(tmp_path / "s.wav", np.zeros(16_000), 16_000)
    ((sound,),) = (one.sounds for one in Listener(captioner).short([indexed(tmp_path / "s.wav")]))
    assert (sound.caption, sound.vector, sound.tags) == ("no recognisable sound", None, ())


@pytest.fixture
def two_events(tmp_path):
    """Four seconds of noise, of silence, and of a tone, each."""
    noise = 0.3 * np.random.default_rng(0).standard_normal(4 * 16_000)
    tone = 0.3 * np.sin(np.arange(4 * 16_000) * 0.3)
    path = tmp_path / "long.wav"
    soundfile.write(path, np.concatenate([noise, np.zeros(4 * 16_000), tone]), 16_000)
    return path


def test_a_long_recording_is_its_timeline_and_the_whole_heard_once(
    captioner, two_events, monkeypatch
):
    listener = Listener(captioner)
    expected = [*captioner.timeline(two_events)]
    heard = []
    encode = captioner.models[0].features
    monkeypatch.setattr(
        captioner.models[0], "features", lambda w, lengths: heard.append(w) or encode(w, lengths)
    )
    found = listener.long(indexed(two_events))
    whole, *segments = found.sounds
    assert [(one.start_s, one.end_s, one.caption) for one in segments] == [
        (one.start_s, one.end_s, one.caption) for one in expected
    ]
    assert len(segments) >= 2
    assert all(one.segment for one in segments)
    assert (whole.start_s, whole.end_s, whole.segment) == (0.0, 12.0, False)
    assert whole.caption in {c.text for one in expected for c in one.candidates}
    for one in found.sounds:
        assert np.linalg.norm(one.vector) == pytest.approx(1, abs=1e-5)
    assert sum(len(batch) * batch.shape[1] for batch in heard) < 12 * 16_000
    sections = [one for one in segments if one.end_s <= 4.1]
    assert sections
    near = [float(whole.vector @ one.vector) for one in segments]
    assert min(near) > 0  # their mean
    assert found.words.size > 300


def test_a_long_recording_without_events_is_heard_as_a_whole(captioner, tmp_path):
    faint = 1e-3 * np.random.default_rng(0).standard_normal(3 * 16_000)
    soundfile.write(tmp_path / "faint.wav", faint, 16_000, subtype="FLOAT")
    found = Listener(captioner).long(indexed(tmp_path / "faint.wav"))
    (whole,) = found.sounds
    assert (whole.segment, whole.end_s) == (False, 3.0)


def test_a_long_recording_that_cannot_be_read_comes_with_its_error(captioner, tmp_path):
    found = Listener(captioner).long(indexed(tmp_path / "none.wav"))
    assert "none.wav" in str(found.error)


def test_a_model_without_a_text_embedder_is_refused(captioner):
    from dataclasses import replace

    from auricle.hub.ensemble import Ensemble
    from auricle.pipeline import Captioner

    mute = Captioner(Ensemble.of(MODEL))
    mute.scorers = tuple(replace(one, embedder=None) for one in mute.scorers)
    with pytest.raises(ModelError, match="no text embedder"):
        Listener(mute)


def test_classes_are_the_loudest_of_the_encoder_over_the_whole_recording():
    from auricle.model.config import YamnetConfig
    from auricle.model.yamnet import Yamnet, scaled

    posteriors = torch.tensor([[0.1, 0.9, 0.31, 0.29], [0.01, 0.02, 0.0, 0.1]])
    filled = torch.cat([posteriors, torch.zeros(2, 517)], dim=1)
    for scale in ("posterior", "sqrt-odds", "log-odds"):
        encoder = Yamnet(YamnetConfig(scale=scale))
        scores = scaled(filled.logit(), scale)
        assert encoder.heard(scores, 0.3, 8) == [("class 1", "class 2"), ()]
        assert encoder.heard(scores, 0.3, 1) == [("class 1",), ()]
