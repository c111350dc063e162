"""Words over time: tokens are joined to words, and the times are those of the recording."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from auricle.errors import AudioError
from auricle.model.cross_attention import cross_attention
from auricle.report.words import words_of, words_over_time
from auricle.text.tokenizer import CaptionTokenizer
from tests.helpers.models import captioner_of
from tests.helpers.sounds import tone
from tests.helpers.timed import timed

RATE = 16_000


@pytest.mark.parametrize("text", ["a dog barks", "dogs", " barking,  a dög!", "a a a"])
def test_every_token_belongs_to_a_word(text):
    tokenizer = CaptionTokenizer.train(["a dog barks at a cat"], 270)
    ids = tokenizer.encode(text)
    words, places = words_of(ids, tokenizer)
    assert list(words) == text.split()
    assert len(places) == len(ids)
    for number, word in enumerate(words):
        own = [one for one, place in zip(ids, places, strict=True) if place == number]
        assert tokenizer.decode(own).strip() == word


def test_a_word_has_the_mean_of_its_tokens(bundle, tmp_path):
    captioner = captioner_of(bundle)
    soundfile.write(tmp_path / "a.wav", tone(2.0), RATE, "FLOAT")
    caption = timed(0.5, 1.75, "a dog barks zzz", audio=str(tmp_path / "a.wav"))
    found = words_over_time(captioner, caption)
    assert found.words == ("a", "dog", "barks", "zzz")
    assert (found.start_s, found.end_s) == (0.5, 1.75)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, rtol=1e-5)

    model, tokenizer = bundle.model, bundle.tokenizer
    ids = tokenizer.encode(caption.caption)
    with torch.no_grad():
        memory = model.encode([tone(2.0)[RATE // 2 : RATE * 7 // 4]])
        cross = model.decoder.read_memory(memory.memory, memory.lengths)
        inputs = torch.tensor([[model.decoder.config.start_id, *ids]])
        weights = cross_attention(model.decoder, inputs, cross).mean(dim=(0, 1, 2))
    last = len(tokenizer.encode("a dog barks"))  # its tokens are chosen one place before their own
    expected = weights[last : len(ids)].mean(dim=0)
    np.testing.assert_allclose(found.weights[-1], expected, rtol=1e-4)
    np.testing.assert_allclose(found.weights[0], weights[0], rtol=1e-4)


def test_silent_ends_are_not_heard(bundle, tmp_path):
    sound = np.concatenate([np.zeros(4 * RATE), tone(1.0), np.zeros(3 * RATE)])
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    found = words_over_time(captioner_of(bundle), timed(0, 8, audio=str(tmp_path / "a.wav")))
    assert (found.start_s, found.end_s) == (3.5, 5.5)  # half a second of each is kept


def test_silence_and_no_words_are_refused(bundle, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.append(np.zeros(RATE), tone(1.0)), RATE)
    for caption, reason in ((timed(0, 1), "is silent"), (timed(1, 2, " "), "without a caption")):
        given = timed(
            caption.start_s, caption.end_s, caption.caption, audio=str(tmp_path / "a.wav")
        )
        with pytest.raises(AudioError, match=rf"a\.wav: .*{reason}.*; leave out --words"):
            words_over_time(captioner_of(bundle), given)


def test_the_recording_may_come_beside_the_name_of_the_caption(bundle, tmp_path):
    captioner = captioner_of(bundle)
    soundfile.write(tmp_path / "a.wav", tone(2.0), RATE, "FLOAT")
    caption = timed(0.5, 1.75, audio="what the client calls it.wav")
    found = words_over_time(captioner, caption, (tone(2.0), RATE))
    of_file = words_over_time(captioner, replace(caption, audio=str(tmp_path / "a.wav")))
    np.testing.assert_array_equal(found.weights, of_file.weights)
