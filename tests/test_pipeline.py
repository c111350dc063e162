"""Recordings to Caption records: batching, seeds, silence, long and broken input, model folders."""

import copy
import math
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

import auricle
from auricle.decoding.confidence import NO_SOUND, Calibration, Feature, HeldOut
from auricle.decoding.likelihood import log_likelihoods
from auricle.decoding.rerank import choose, rank
from auricle.errors import AudioError, ModelError, SeveralError
from auricle.hub.ensemble import Ensemble
from auricle.model.device import pick_device
from auricle.pipeline import Captioner
from auricle.records import RECENT, Candidate
from auricle.text.normalise import strip_punctuation
from tests.helpers.hash_embedder import HashEmbedder
from tests.helpers.models import RATE, captioner_of, make_ensemble
from tests.helpers.paths import EXAMPLES

SILENCE = (np.zeros(RATE, np.float32), RATE)


@pytest.fixture
def captioner(bundle):
    return captioner_of(bundle)


@pytest.fixture(scope="module")
def sounds():
    """(waveform, rate) of noise."""
    noise, lengths = np.random.default_rng(0), (int(RATE * s) for s in (2, 0.5, 3, 1))
    return [((noise.standard_normal(n) * 0.1).astype(np.float32), RATE) for n in lengths]


def test_a_record_holds_everything(captioner, sounds):
    record = captioner.caption([sounds[0]], seed=7)[0]
    assert (record.start_s, record.end_s) == (0.0, 2.0)
    assert (record.model, record.decode, record.seed) == ("debug-0", "nucleus", 7)
    assert record.caption in [candidate.text for candidate in record.candidates]
    scores = [candidate.score for candidate in record.candidates]
    assert scores == sorted(scores, reverse=True)
    for candidate in record.candidates:
        hybrid = 0.3 * candidate.log_likelihood + 0.7 * candidate.similarity
        assert candidate.score == pytest.approx(hybrid)


def test_order_batch_size_and_company_change_nothing(captioner, sounds):
    alone = [captioner.caption(sound)[0].caption for sound in sounds]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        for batch_size in (1, 3, 8):
            records = captioner.caption([sounds[i] for i in order], batch_size=batch_size)
            assert [record.caption for record in records] == [alone[i] for i in order]


def test_an_array_a_tensor_a_pair_and_a_file_are_the_same_recording(captioner, sounds, tmp_path):
    path, (waveform, _) = tmp_path / "sound.wav", sounds[0]
    soundfile.write(path, waveform, RATE, subtype="FLOAT")
    expected = captioner.caption(sounds[0])[0].caption
    for source in (waveform, torch.from_numpy(waveform), path, str(path), path.read_bytes()):
        assert captioner.caption(source, sample_rate=RATE)[0].caption == expected


def test_the_seed_and_the_method_matter(captioner, sounds):
    one, two = (captioner.caption(sounds[0], seed=seed)[0] for seed in (0, 1))
    assert [c.text for c in one.candidates] != [c.text for c in two.candidates]
    assert len(captioner.caption(sounds[0], decode="greedy")[0].candidates) == 1
    assert 1 < len(captioner.caption(sounds[0], decode="beam")[0].candidates) <= 4


def test_duplicates_are_merged_before_they_are_embedded(captioner, sounds):
    captioner.caption(sounds[0], candidates=40, temperature=0.2)
    embedder = captioner.scorers[0].embedder
    assert len(embedder.texts) == len(set(embedder.texts)) < 40


def test_likelihoods_equal_teacher_forcing_one_at_a_time(bundle, sounds):
    model, tokenizer = bundle.model, bundle.tokenizer
    texts = [["a dog barks", "rain"], ["wind blows in the distance"]]
    with torch.no_grad():
        memory = model.encode([sounds[0][0], sounds[1][0]])
        cross = model.decoder.read_memory(memory.memory, memory.lengths)
        found = log_likelihoods(model.decoder, cross, texts, tokenizer)
        for clip, captions in enumerate(texts):
            for text, value in zip(captions, found[clip], strict=True):
                ids = [*tokenizer.encode(text), tokenizer.eos_id]
                alone = model.encode([sounds[clip][0]])
                log_p = model.logits(alone, torch.tensor([[2, *ids[:-1]]])).log_softmax(-1)
                expected = log_p[0, range(len(ids)), ids].mean().item()
                assert value.mean == pytest.approx(expected, abs=1e-4)


def test_silence_is_named_and_the_others_are_captioned(captioner, sounds):
    records = captioner.caption([SILENCE, sounds[0]])
    assert records[0].caption == NO_SOUND
    assert records[0].candidates == ()
    assert records[0].score is None
    assert records[1].candidates


@pytest.fixture
def good_and_bad(sounds, tmp_path):
    good, bad = tmp_path / "good.wav", tmp_path / "bad.wav"
    soundfile.write(good, *sounds[0])
    bad.write_text("not audio")
    return good, bad


def test_a_bad_file_is_reported_and_the_others_go_on(captioner, good_and_bad):
    good, bad = good_and_bad
    failed, heard = captioner.stream([bad, good])
    assert (failed.source, failed.caption) == (bad, None)
    assert "bad.wav" in str(failed.error)
    assert (heard.source, heard.error, heard.caption) == (good, None, captioner.caption(good)[0])


def test_one_bad_file_is_raised_after_the_others_are_captioned(captioner, good_and_bad):
    good, bad = good_and_bad
    with pytest.raises(AudioError, match=r"bad\.wav") as caught:
        captioner.caption(bad)
    assert not isinstance(caught.value, SeveralError)
    with pytest.raises(SeveralError, match=r"2 of 4 .*bad\.wav.*on_error") as several:
        captioner.caption(path for path in (good, bad, good, bad))
    found = [caption and caption.audio for caption in several.value.captions]
    assert found == [str(good), None, str(good), None]
    assert [str(error) for error in several.value.errors] == [str(caught.value)] * 2
    again = pickle.loads(pickle.dumps(several.value))
    assert (str(again), again.captions) == (str(several.value), several.value.captions)
    with pytest.raises(SeveralError, match="and 2 more"):
        captioner.caption([bad] * 5)


def test_bad_files_are_skipped_or_returned(captioner, good_and_bad):
    good, bad = good_and_bad
    expected = captioner.caption(good)
    with pytest.warns(UserWarning, match=r"left out: 1 of 2 .*bad\.wav"):
        assert captioner.caption([bad, good], on_error="skip") == expected
    error, caption = captioner.caption([bad, good], on_error="return")
    assert isinstance(error, AudioError)
    assert [caption] == expected
    for other in ("ignore", None, print):
        with pytest.raises(ValueError, match="must be 'raise', 'skip' or 'return'"):
            captioner.caption(iter(()), on_error=other)


def test_the_recordings_of_any_iterable_are_captioned(captioner, good_and_bad):
    good = str(good_and_bad[0])
    for several in ([good, good], (good, good), iter([good, good]), np.array([good, good])):
        assert [caption.audio for caption in captioner(several)] == [good, good]
    assert captioner(good) == captioner(iter([good]))
    assert captioner.caption([]) == []
    with pytest.raises(AudioError, match="list of numbers"):
        captioner.caption([0.1, 0.2])
    with pytest.raises(AudioError, match="NoneType"):
        captioner.caption(None)


def test_an_array_needs_its_rate_or_the_models_is_taken_with_one_warning(captioner):
    samples, rate_hz = soundfile.read(EXAMPLES / "helicopter.ogg", frames=32_000)
    expected = captioner((samples, rate_hz))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert captioner(samples, sample_rate=rate_hz) == expected
        assert captioner(torch.from_numpy(samples), sampling_rate=rate_hz) == expected
        assert captioner([samples], sample_rate=rate_hz, batch_size=1) == expected
        assert torch.equal(
            captioner.embed_audio(samples, sample_rate=rate_hz),
            captioner.embed_audio((samples, rate_hz)),
        )
    with pytest.raises(TypeError, match="names of one setting"):
        captioner(samples, sample_rate=rate_hz, sampling_rate=rate_hz)
    with pytest.warns(UserWarning, match="16000 Hz") as told:
        slow = captioner([samples] * 8)
    assert [one.filename for one in told] == [__file__]
    assert slow[0].end_s == pytest.approx(rate_hz / RATE * expected[0].end_s)


def test_a_web_address_is_opened_on_request(captioner, good_and_bad, monkeypatch):
    content = good_and_bad[0].read_bytes()
    monkeypatch.setattr("auricle.fetch.recording.fetch_recording", lambda address: content)
    address = f"https://example.org/good.wav?signature={'0' * 5000}"
    with pytest.raises(AudioError, match="allow_urls=True"):
        captioner(address)
    (caption,) = captioner(address, allow_urls=True)
    assert caption.audio == address
    assert caption.caption == captioner(good_and_bad[0])[0].caption
    assert list(captioner.speak(address, allow_urls=True))


def test_sounds_without_a_file_can_be_played_for_a_while(captioner, sounds):
    first, *others = captioner.caption([sounds[1]] * (RECENT + 1))
    assert "<audio" not in first._repr_html_()
    assert all("<audio" in caption._repr_html_() for caption in others)


def test_wrong_settings_are_refused_before_anything_is_heard(captioner):
    for settings in ({"num_return_sequences": 3}, {"temprature": 1.0}, {"seed": "x"}):
        with pytest.raises(TypeError):
            captioner.stream(iter([]), **settings)
    assert captioner.decoding(num_beams=3).options.candidates == 3


def test_a_copy_captions_the_same(tiny):
    recording = EXAMPLES / "rain-and-thunder.ogg"
    expected = tiny(recording)
    stored = pickle.dumps(tiny)
    for again in (pickle.loads(stored), copy.deepcopy(tiny)):
        assert again(recording) == expected
        assert again.device == tiny.device
    assert len(stored) < 40_000_000  # the model of 7 million parameters; no text embedder


def test_a_captioner_moves_with_everything(captioner, sounds):
    class Embedder(HashEmbedder):
        def to(self, device):
            places.append(device)

    places = []
    captioner.scorers = tuple(replace(scorer, embedder=Embedder()) for scorer in captioner.scorers)
    assert captioner.to("cpu") is captioner
    assert captioner.to(torch.device("cpu")).device == torch.device("cpu")
    assert places == [torch.device("cpu")] * 2
    with pytest.raises(ModelError, match="'gpu' is not on this machine"):
        captioner.to("gpu")


def test_embeddings_have_the_similarity_of_candidates(tiny, bundles):
    recordings = [EXAMPLES / "rain-and-thunder.ogg", EXAMPLES / "helicopter.ogg"]
    together = captioner_of(make_ensemble(bundles, weights=[(1.0, 1.0), (1.0, 3.0)]))
    for model in (tiny, together):
        sounds = model.embed_audio(recordings)
        captions = model(recordings)
        for sound, caption in zip(sounds, captions, strict=True):
            texts = model.embed_text([candidate.text for candidate in caption.candidates])
            similarity = [candidate.similarity for candidate in caption.candidates]
            assert (texts @ sound).tolist() == pytest.approx(similarity, abs=1e-5)
            assert texts.norm(dim=1).tolist() == pytest.approx([1.0] * len(texts), abs=1e-5)
        assert sounds.norm(dim=1).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
        assert (sounds.dtype, sounds.is_inference()) == (torch.float32, False)
        assert model.embed_text("rain").shape == model.embed_audio(recordings[0]).shape
        assert model.embed_audio([]).shape == model.embed_text([]).shape == (0, sounds.shape[1])


def test_embeddings_need_a_text_embedder_and_readable_recordings(captioner, good_and_bad):
    with pytest.raises(AudioError, match=r"bad\.wav"):
        captioner.embed_audio(good_and_bad)
    with pytest.raises(TypeError, match="not int"):
        captioner.embed_text([1])
    captioner.scorers = tuple(replace(scorer, embedder=None) for scorer in captioner.scorers)
    for embed in (captioner.embed_text, captioner.embed_audio):
        with pytest.raises(ModelError, match="no text embedder"):
            embed(str(good_and_bad[0]))


def test_a_long_recording_is_captioned_as_a_whole(captioner):
    long = np.random.default_rng(1).standard_normal(RATE * 70).astype(np.float32) * 0.1
    short, progress = long[:RATE], []
    first, second = captioner.stream(
        [long, short], sample_rate=RATE, progress=lambda *told: progress.append(told)
    )
    assert (first.caption.start_s, first.caption.end_s) == (0.0, 70.0)
    assert first.heard.note is None
    assert progress[-1] == ("hearing <array>", 70, 70)
    thirds = [long[place * RATE * 70 // 3 :][: RATE * 70 // 3] for place in range(3)]
    parts = captioner.caption(thirds, sample_rate=RATE)
    theirs = {one.text for part in parts for one in part.candidates}
    assert {one.text for one in first.caption.candidates} == theirs
    assert second.caption == captioner.caption((short, RATE))[0]


def test_the_start_of_a_long_recording_alone_is_captioned_if_asked_and_said_so(captioner):
    long = np.random.default_rng(1).standard_normal(RATE * 70).astype(np.float32) * 0.1
    for most_s in (20.0, 40.0):
        (found,) = captioner.stream([long], sample_rate=RATE, max_duration_s=most_s)
        assert found.caption.end_s == most_s
        assert found.heard.note == f"<array>: 70 s long; captioned its first {most_s:g} s"
    start = captioner.caption((long[: 20 * RATE], RATE))[0]
    (found,) = captioner.stream([long], sample_rate=RATE, max_duration_s=20.0)
    assert found.caption.caption == start.caption


def test_the_first_fluent_candidate_wins_and_the_best_when_none_is():
    broken, whole = (
        Candidate("rain and the", -1.0, 0.9, 0.6, False),
        Candidate("rain falls", -1.0, 0.8, 0.5, True),
    )
    assert choose(rank([whole, broken])) == whole
    assert choose(rank([replace(whole, fluent=False), broken])) == broken


def test_a_saved_model_captions_the_same(captioner, sounds, tmp_path):
    captioner.save_pretrained(tmp_path / "saved")
    names = {"config.json", "model.safetensors", "tokenizer.json", "README.md"}
    assert {path.name for path in (tmp_path / "saved").iterdir()} == names
    again = auricle.Captioner.from_pretrained(tmp_path / "saved", device="cpu")
    again.scorers = (replace(again.scorers[0], embedder=HashEmbedder()),)
    ours, theirs = captioner.caption(sounds[0])[0], again.caption(sounds[0])[0]
    assert [c.text for c in ours.candidates] == [c.text for c in theirs.candidates]
    assert ours.score == pytest.approx(theirs.score, abs=1e-5)


def test_upload_sends_the_model_folder(captioner, monkeypatch):
    import huggingface_hub

    sent = {}

    def upload_folder(self, *, repo_id, folder_path):
        from pathlib import Path

        sent[repo_id] = sorted(path.name for path in Path(folder_path).iterdir())
        return f"https://hub.example/{repo_id}"

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", lambda *a, **k: None)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload_folder)
    assert captioner.push_to_hub("me/ears").endswith("me/ears")
    assert sent == {"me/ears": ["README.md", "config.json", "model.safetensors", "tokenizer.json"]}


def test_a_model_without_tokenizer_says_what_is_missing(bundle):
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        Captioner(Ensemble.of(replace(bundle, tokenizer=None)))


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(ModelError, match="'cuda' is not on this machine"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("auto") == torch.device("cuda")
    assert pick_device(torch.device("cuda:1")) == torch.device("cuda:1")
    for name in ("cuda:2", "cuda:x", "gpu", "cpu:1"):
        with pytest.raises(ModelError, match=f"'{name}' is not on this machine"):
            pick_device(name)


def test_a_caption_is_said_piece_by_piece(captioner, sounds):
    pieces = list(captioner.speak(sounds[0]))
    assert len(pieces) > 1
    greedy = captioner.caption(sounds[0], decode="greedy")[0]
    assert strip_punctuation("".join(pieces)) == greedy.caption
    sampled = "".join(captioner.speak(sounds[0], decode="nucleus", seed=3))
    assert sampled == "".join(captioner.speak(sounds[0], decode="nucleus", seed=3))
    assert list(captioner.speak(SILENCE)) == [NO_SOUND]
    with pytest.raises(ValueError, match="beam"):
        list(captioner.speak(sounds[0], decode="beam"))


def test_confidence_comes_from_the_calibration_and_may_decline(bundle, sounds):
    measured = HeldOut(0.2, 0.25, 0.0, 0.1, 0.05, 0.7)
    feature = Feature("log_likelihood", -3.0, 1.0, 1.0)
    calibration = Calibration((feature,), 0.0, "nucleus", 0.5, "clips.jsonl", 40, 0.5, measured)
    captioner = captioner_of(replace(bundle, calibration=calibration))
    sure = captioner.caption(sounds[0])[0]
    best = next(candidate for candidate in sure.candidates if candidate.reason is None)
    assert sure.confidence == pytest.approx(1 / (1 + math.exp(-(best.log_likelihood + 3.0))))
    declined = captioner.caption(sounds[0], min_confidence=min(1.0, sure.confidence + 0.01))[0]
    assert declined.caption == NO_SOUND
    assert declined.confidence == sure.confidence
    assert any("confidence" in candidate.reason for candidate in declined.candidates)
    assert captioner.caption(sounds[0], min_confidence=sure.confidence)[0].caption == sure.caption
    assert captioner.caption(sounds[0], decode="greedy")[0].confidence is None
    with pytest.raises(ModelError, match="no calibration for greedy"):
        captioner.caption(sounds[0], decode="greedy", min_confidence=0.5)


def test_a_model_keeps_its_calibration(bundle, tmp_path):
    measured = HeldOut(0.2, 0.25, 0.0, 0.1, 0.05, 0.7)
    feature = Feature("similarity", 0.4, 0.1, 0.8)
    calibration = Calibration((feature,), 0.3, "nucleus", 0.5, "clips.jsonl", 40, 0.5, measured)
    Captioner(Ensemble.of(replace(bundle, calibration=calibration))).save_pretrained(tmp_path)
    assert Captioner.from_pretrained(tmp_path, "cpu").ensemble.calibration == calibration


def test_a_model_is_loaded_in_the_precision_asked_for(bundle, tmp_path, sounds):
    Captioner(Ensemble.of(bundle)).save_pretrained(tmp_path / "model")
    captioner = Captioner.from_pretrained(tmp_path / "model", "cpu", "bf16")
    assert captioner.precision == "bf16"
    assert captioner.caption(sounds[0])[0].caption
    with pytest.raises(ModelError, match="precision float32"):
        captioner.save_pretrained(tmp_path / "again")
    with pytest.raises(ModelError, match="fp16"):
        Captioner.from_pretrained(tmp_path / "model", "cpu", "fp16")
