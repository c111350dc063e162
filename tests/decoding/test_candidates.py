"""Candidates, and likelihoods gathered while searching against teacher forcing."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from auricle.decoding import likelihood as likelihood_module
from auricle.decoding.candidates import find_candidates, find_hypotheses, score_again
from auricle.decoding.hypothesis import Scorer
from auricle.decoding.likelihood import hypothesis_likelihoods, log_likelihoods
from auricle.decoding.options import DecodeOptions
from auricle.text.tokenizer import CaptionTokenizer
from tests.helpers.debug_decoder import debug_model, read, word_tokenizer
from tests.helpers.models import captioner_of, make_ensemble

METHODS = ["greedy", "nucleus", "beam", "diverse-beam"]
TEXTS = [["w9 w8", "w7", "w5 w6 w7 w8 w9 w10"], [], ["w200 w3", "w9 w8"]]


@pytest.fixture(scope="module")
def scorer(model):
    return Scorer("words", model.decoder, word_tokenizer())


@pytest.mark.parametrize("method", METHODS)
def test_what_search_gathered_equals_teacher_forcing(model, memory, scorer, method):
    options = DecodeOptions(method, candidates=8, temperature=0.4, max_length=10)
    cross = read(model, memory)
    hypotheses = find_hypotheses([scorer], [cross], options, 0)
    assert all(hypothesis.log_probability is not None for clip in hypotheses for hypothesis in clip)
    gathered = hypothesis_likelihoods(scorer, 0, cross, hypotheses)
    texts = [[hypothesis.text for hypothesis in clip] for clip in hypotheses]
    forced = log_likelihoods(scorer.decoder, cross, texts, scorer.tokenizer)
    for clip in range(3):
        for known, slow in zip(gathered[clip], forced[clip], strict=True):
            assert known == pytest.approx(slow, abs=1e-4)


def test_teacher_forcing_serves_where_the_tokens_are_not_those_of_the_text(
    model, memory, scorer, monkeypatch
):
    cross = read(model, memory)
    hypotheses = find_hypotheses([scorer], [cross], DecodeOptions(candidates=6), 0)
    half = [
        [replace(d, log_probability=None) if i % 2 else d for i, d in enumerate(clip)]
        for clip in hypotheses
    ]
    forced = []
    slow = likelihood_module.log_likelihoods
    monkeypatch.setattr(
        likelihood_module,
        "log_likelihoods",
        lambda d, c, texts, t: forced.extend(texts) or slow(d, c, texts, t),
    )
    for all_known, some in zip(
        hypothesis_likelihoods(scorer, 0, cross, hypotheses),
        hypothesis_likelihoods(scorer, 0, cross, half),
        strict=True,
    ):
        assert all_known == [pytest.approx(value, abs=1e-4) for value in some]
    assert forced == [[], [], [], *([d.text for d in clip[1::2]] for clip in hypotheses)]


def test_another_voice_is_asked_by_teacher_forcing(model, memory, scorer):
    other = replace(scorer, decoder=debug_model(1).decoder)
    crosses = [v.decoder.read_memory(memory.memory, memory.lengths) for v in (scorer, other)]
    hypotheses = find_hypotheses([scorer], crosses[:1], DecodeOptions(candidates=4), 0)
    texts = [[hypothesis.text for hypothesis in clip] for clip in hypotheses]
    found = hypothesis_likelihoods(other, 1, crosses[1], hypotheses)
    assert found == log_likelihoods(other.decoder, crosses[1], texts, other.tokenizer)


@torch.no_grad()
def test_likelihoods_in_parts_equal_whole_ones(model, memory, scorer, monkeypatch):
    cross = read(model, memory)
    whole = log_likelihoods(model.decoder, cross, TEXTS, scorer.tokenizer)
    for clip, texts in enumerate(TEXTS):
        alone = read(model, memory, slice(clip, clip + 1))
        for text, value in zip(texts, whole[clip], strict=True):
            ids = [*scorer.tokenizer.encode(text), 2]
            log_p = model.decoder(torch.tensor([[2, *ids[:-1]]]), alone)[0].log_softmax(-1)
            total = log_p[range(len(ids)), ids].sum().item()
            assert value == pytest.approx((total / len(ids), total), abs=1e-4)
    monkeypatch.setattr(likelihood_module, "ROWS_TOGETHER", 2)
    monkeypatch.setattr(likelihood_module, "LOGITS_TOGETHER", 3)
    parts = log_likelihoods(model.decoder, cross, TEXTS, scorer.tokenizer)
    for a, b in zip(whole, parts, strict=True):
        assert a == [pytest.approx(value, abs=1e-4) for value in b]


def test_logits_of_all_tokens_never_exist_at_once(model, memory, scorer, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        model.decoder,
        "logits",
        lambda x, real=model.decoder.logits: sizes.append(len(x)) or real(x),
    )
    texts = [["w9 w8 w7 w6"] * 100] * 3
    log_likelihoods(model.decoder, read(model, memory), texts, scorer.tokenizer)
    assert sum(sizes) == 300 * 5
    assert max(sizes) <= likelihood_module.LOGITS_TOGETHER


def test_equal_texts_are_one_draft_that_counts_them(model, memory, scorer):
    options = DecodeOptions(candidates=30, temperature=0.2)
    hypotheses = find_hypotheses([scorer], [read(model, memory)], options, 0)
    for clip in hypotheses:
        assert len({hypothesis.text for hypothesis in clip}) == len(clip) < 30
        assert sum(hypothesis.count for hypothesis in clip) == 30


def test_the_tokens_of_the_text_are_preferred_among_those_that_say_it(model, memory):
    """Byte-level tokens of a random model seldom are those of their text."""
    tokenizer = CaptionTokenizer.train(["a dog barks while rain falls"] * 3, 300)
    scorer = Scorer("bytes", model.decoder, tokenizer)
    hypotheses = find_hypotheses([scorer], [read(model, memory)], DecodeOptions(candidates=20), 0)
    unknown = [d for clip in hypotheses for d in clip if d.log_probability is None]
    assert unknown
    assert all(tokenizer.encode(d.text) != list(d.ids) for d in unknown)


def test_voices_pool_their_candidates_by_different_draws(model, memory, scorer):
    cross, options = read(model, memory), DecodeOptions(candidates=5, temperature=1.0)
    hypotheses = find_hypotheses([scorer, scorer], [cross, cross], options, 3)
    alone = find_hypotheses([scorer], [cross], options, 4)
    for clip, second in zip(hypotheses, alone, strict=True):
        assert {hypothesis.scorer for hypothesis in clip} == {0, 1}
        assert {d.text for d in second} <= {d.text for d in clip}


def test_voices_that_speak_as_one(model, memory, scorer):
    """The average of a model with itself is the model."""
    cross, options = read(model, memory), DecodeOptions(candidates=5)
    alone = find_hypotheses([scorer], [cross], options, 3)
    both = find_hypotheses([scorer, scorer], [cross, cross], options, 3, "tokens")
    assert [[d.text for d in clip] for clip in both] == [[d.text for d in clip] for clip in alone]
    for ours, theirs in zip(both, alone, strict=True):
        assert [d.log_probability for d in ours] == [
            pytest.approx(d.log_probability, abs=1e-4) for d in theirs
        ]
    found = find_candidates([scorer, scorer], [memory, memory], options, 3, "tokens")
    assert {c.text for c in found[0]} == {d.text for d in alone[0]}


def test_candidates_scored_again_are_in_the_order_of_their_scores_after_every_search(
    bundles, sounds
):
    captioner = captioner_of(bundles[0])
    options = DecodeOptions("beam", candidates=4)
    with torch.inference_mode():
        memories = [captioner.models[0].encode(sounds)]
        parts = find_candidates(captioner.scorers, memories, options)
        whole = [captioner.models[0].encode(sounds[:1])]
        again = score_again(captioner.scorers, whole, parts[::-1], options)
    assert [one.score for one in again] == sorted((one.score for one in again), reverse=True)


def test_candidates_scored_again_are_judged_by_the_memory_of_the_whole(bundles, sounds):
    """Of two members: likelihoods by teacher forcing, counts added up, the best score first."""
    ensemble = make_ensemble(bundles, weights=[(0.25, 0.5), (0.75, 0.5)])
    captioner = captioner_of(ensemble)
    scorers, models = captioner.scorers, captioner.models
    options = DecodeOptions("greedy")
    with torch.inference_mode():
        memories = [model.encode(sounds) for model in models]
        parts = find_candidates(scorers, memories, DecodeOptions(candidates=4))
        whole = [model.encode(sounds[:1]) for model in models]
        again = score_again(scorers, whole, [*parts, parts[0]], options)
    counts = Counter()
    for one in (*parts[0], *parts[1], *parts[0]):
        counts[one.text] += one.count
    assert {one.text: one.count for one in again} == counts
    assert [one.score for one in again] == sorted((one.score for one in again), reverse=True)
    for one in again:
        judged = []
        for scorer, memory in zip(scorers, whole, strict=True):
            cross = scorer.decoder.read_memory(memory.memory, memory.lengths)
            found = log_likelihoods(scorer.decoder, cross, [[one.text]], scorer.tokenizer)
            judged.append(found[0][0].mean)
        assert one.log_likelihood == pytest.approx(0.25 * judged[0] + 0.75 * judged[1], abs=1e-4)
        first = next((part for part in parts[0] if part.text == one.text), None)
        if first:  # the same sound: the same terms
            assert one.similarity == pytest.approx(first.similarity, abs=1e-4)
