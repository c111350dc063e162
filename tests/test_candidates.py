"""Drafts of captions, and likelihoods gathered while searching against teacher forcing."""

from dataclasses import replace

import pytest
import torch

from auricle.decoding import likelihood as likelihood_module
from auricle.decoding.candidates import find_candidates, find_drafts
from auricle.decoding.hypothesis import Voice
from auricle.decoding.likelihood import draft_likelihoods, log_likelihoods
from auricle.decoding.options import DecodeOptions
from auricle.text.tokenizer import CaptionTokenizer
from debug_decoder import debug_model, hear, read, word_tokenizer

METHODS = ["greedy", "nucleus", "beam", "diverse-beam"]
TEXTS = [["w9 w8", "w7", "w5 w6 w7 w8 w9 w10"], [], ["w200 w3", "w9 w8"]]


@pytest.fixture(scope="module")
def model():
    return debug_model()


@pytest.fixture(scope="module")
def memory(model):
    return hear(model)


@pytest.fixture(scope="module")
def voice(model):
    return Voice("words", model.decoder, word_tokenizer())


@pytest.mark.parametrize("method", METHODS)
def test_what_search_gathered_equals_teacher_forcing(model, memory, voice, method):
    options = DecodeOptions(method, candidates=8, temperature=0.4, max_length=10)
    cross = read(model, memory)
    drafts = find_drafts([voice], [cross], options, 0)
    assert all(draft.log_probability is not None for clip in drafts for draft in clip)
    gathered = draft_likelihoods(voice, 0, cross, drafts)
    texts = [[draft.text for draft in clip] for clip in drafts]
    forced = log_likelihoods(voice.decoder, cross, texts, voice.tokenizer)
    for clip in range(3):
        for known, slow in zip(gathered[clip], forced[clip], strict=True):
            assert known == pytest.approx(slow, abs=1e-4)


def test_teacher_forcing_serves_where_the_tokens_are_not_those_of_the_text(
    model, memory, voice, monkeypatch
):
    cross = read(model, memory)
    drafts = find_drafts([voice], [cross], DecodeOptions(candidates=6), 0)
    half = [
        [replace(d, log_probability=None) if i % 2 else d for i, d in enumerate(clip)]
        for clip in drafts
    ]
    forced = []
    slow = likelihood_module.log_likelihoods
    monkeypatch.setattr(
        likelihood_module,
        "log_likelihoods",
        lambda d, c, texts, t: forced.extend(texts) or slow(d, c, texts, t),
    )
    for all_known, some in zip(
        draft_likelihoods(voice, 0, cross, drafts),
        draft_likelihoods(voice, 0, cross, half),
        strict=True,
    ):
        assert all_known == [pytest.approx(value, abs=1e-4) for value in some]
    assert forced == [[], [], [], *([d.text for d in clip[1::2]] for clip in drafts)]


def test_another_voice_is_asked_by_teacher_forcing(model, memory, voice):
    other = replace(voice, decoder=debug_model(1).decoder)
    crosses = [v.decoder.read_memory(memory.memory, memory.lengths) for v in (voice, other)]
    drafts = find_drafts([voice], crosses[:1], DecodeOptions(candidates=4), 0)
    texts = [[draft.text for draft in clip] for clip in drafts]
    found = draft_likelihoods(other, 1, crosses[1], drafts)
    assert found == log_likelihoods(other.decoder, crosses[1], texts, other.tokenizer)


@torch.no_grad()
def test_likelihoods_in_parts_equal_whole_ones(model, memory, voice, monkeypatch):
    cross = read(model, memory)
    whole = log_likelihoods(model.decoder, cross, TEXTS, voice.tokenizer)
    for clip, texts in enumerate(TEXTS):
        alone = read(model, memory, slice(clip, clip + 1))
        for text, value in zip(texts, whole[clip], strict=True):
            ids = [*voice.tokenizer.encode(text), 2]
            log_p = model.decoder(torch.tensor([[2, *ids[:-1]]]), alone)[0].log_softmax(-1)
            total = log_p[range(len(ids)), ids].sum().item()
            assert value == pytest.approx((total / len(ids), total), abs=1e-4)
    monkeypatch.setattr(likelihood_module, "ROWS_TOGETHER", 2)
    monkeypatch.setattr(likelihood_module, "LOGITS_TOGETHER", 3)
    parts = log_likelihoods(model.decoder, cross, TEXTS, voice.tokenizer)
    for a, b in zip(whole, parts, strict=True):
        assert a == [pytest.approx(value, abs=1e-4) for value in b]


def test_logits_of_all_tokens_never_exist_at_once(model, memory, voice, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        model.decoder,
        "logits",
        lambda x, real=model.decoder.logits: sizes.append(len(x)) or real(x),
    )
    texts = [["w9 w8 w7 w6"] * 100] * 3
    log_likelihoods(model.decoder, read(model, memory), texts, voice.tokenizer)
    assert sum(sizes) == 300 * 5
    assert max(sizes) <= likelihood_module.LOGITS_TOGETHER


def test_equal_texts_are_one_draft_that_counts_them(model, memory, voice):
    options = DecodeOptions(candidates=30, temperature=0.2)
    drafts = find_drafts([voice], [read(model, memory)], options, 0)
    for clip in drafts:
        assert len({draft.text for draft in clip}) == len(clip) < 30
        assert sum(draft.count for draft in clip) == 30


def test_the_tokens_of_the_text_are_preferred_among_those_that_say_it(model, memory):
    """Byte-level tokens of a random model seldom are those of their text."""
    tokenizer = CaptionTokenizer.train(["a dog barks while rain falls"] * 3, 300)
    voice = Voice("bytes", model.decoder, tokenizer)
    drafts = find_drafts([voice], [read(model, memory)], DecodeOptions(candidates=20), 0)
    unknown = [d for clip in drafts for d in clip if d.log_probability is None]
    assert unknown
    assert all(tokenizer.encode(d.text) != list(d.ids) for d in unknown)


def test_voices_pool_their_candidates_by_different_draws(model, memory, voice):
    cross, options = read(model, memory), DecodeOptions(candidates=5, temperature=1.0)
    drafts = find_drafts([voice, voice], [cross, cross], options, 3)
    alone = find_drafts([voice], [cross], options, 4)
    for clip, second in zip(drafts, alone, strict=True):
        assert {draft.voice for draft in clip} == {0, 1}
        assert {d.text for d in second} <= {d.text for d in clip}


def test_voices_that_speak_as_one(model, memory, voice):
    """The average of a model with itself is the model."""
    cross, options = read(model, memory), DecodeOptions(candidates=5)
    alone = find_drafts([voice], [cross], options, 3)
    both = find_drafts([voice, voice], [cross, cross], options, 3, "tokens")
    assert [[d.text for d in clip] for clip in both] == [[d.text for d in clip] for clip in alone]
    for ours, theirs in zip(both, alone, strict=True):
        assert [d.log_probability for d in ours] == [
            pytest.approx(d.log_probability, abs=1e-4) for d in theirs
        ]
    found = find_candidates([voice, voice], [memory, memory], options, 3, "tokens")
    assert {c.text for c in found[0]} == {d.text for d in alone[0]}
