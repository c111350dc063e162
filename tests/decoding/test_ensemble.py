"""Ensembles: averages of tokens, and captions that all members propose and judge."""

import pytest
import torch
from torch.nn import functional as F

from auricle.decoding.ensemble import AveragedSteps, stepped_likelihoods
from auricle.decoding.hypothesis import Hypothesis
from auricle.decoding.likelihood import log_likelihoods
from auricle.decoding.steps import DecoderSteps
from tests.helpers.hash_embedder import HashEmbedder
from tests.helpers.models import OPTIONS, RATE, captioner_of, make_bundle, make_ensemble


def begun(bundle, sounds):
    memory = bundle.model.encode(sounds)
    cross = bundle.model.decoder.read_memory(memory.memory, memory.lengths)
    return DecoderSteps(bundle.model.decoder, cross)


@torch.inference_mode()
def test_averaged_steps_are_the_weighted_mean_of_probabilities(bundles, sounds):
    members = [begun(bundle, sounds) for bundle in bundles]
    averaged = AveragedSteps([begun(bundle, sounds) for bundle in bundles], [1.0, 3.0])
    for steps in (*members, averaged):
        steps.begin(6, 8)
    rows, tokens = torch.tensor([0, 0, 1]), torch.tensor([2, 2])
    for token in (5, 9):
        one, two = (steps.next_logits(tokens).softmax(-1) for steps in members)
        mixed = averaged.next_logits(tokens)
        assert torch.allclose(mixed.exp(), 0.25 * one + 0.75 * two, atol=1e-6)
        assert torch.allclose(mixed.exp().sum(-1), torch.ones(len(tokens)))
        for steps in (*members, averaged):
            steps.select(rows)
        rows, tokens = torch.arange(3), torch.full((3,), token)


@torch.inference_mode()
def test_a_member_without_weight_is_not_asked(bundles, sounds):
    alone, silent = (begun(bundle, sounds) for bundle in bundles)
    silent.next_logits = None
    averaged = AveragedSteps([begun(bundles[0], sounds), silent], [2.0, 0.0])
    alone.begin(2, 4)
    averaged.begin(2, 4)
    start = torch.tensor([2, 2])
    expected = alone.next_logits(start).log_softmax(-1)
    assert torch.allclose(averaged.next_logits(start), expected, atol=1e-6)
    with pytest.raises(ValueError, match="every weight is 0"):
        AveragedSteps([alone, silent], [0.0, 0.0])


def test_every_member_proposes_and_judges_and_the_averages_are_weighted(bundles, sounds):
    weights = [(0.25, 0.9), (0.75, 0.1)]
    together = captioner_of(make_ensemble(bundles, weights=weights)).caption(
        sounds[0], sample_rate=RATE
    )[0]
    single = [captioner_of(bundle) for bundle in bundles]
    assert {c.model for c in together.candidates} == {"m0", "m1"}
    with torch.inference_mode():
        memories = [captioner.models[0].encode(sounds[:1]) for captioner in single]
    for candidate in together.candidates:
        judged = []
        for captioner, memory in zip(single, memories, strict=True):
            cross = captioner.models[0].decoder.read_memory(memory.memory, memory.lengths)
            judged.append(
                log_likelihoods(
                    captioner.models[0].decoder,
                    cross,
                    [[candidate.text]],
                    captioner.scorers[0].tokenizer,
                )[0][0].mean
            )
        vector = HashEmbedder().embed([candidate.text])[0]
        cosines = [F.cosine_similarity(vector, m.embedding[0], dim=0).item() for m in memories]
        likelihood = 0.25 * judged[0] + 0.75 * judged[1]
        similarity = 0.9 * cosines[0] + 0.1 * cosines[1]
        assert candidate.log_likelihood == pytest.approx(likelihood, abs=1e-4)
        assert candidate.similarity == pytest.approx(similarity, abs=1e-4)
        score = 0.3 * likelihood + 0.7 * similarity
        assert candidate.score == pytest.approx(score, abs=1e-4)


def test_equal_members_draw_differently_and_agree_with_one(bundles, sounds):
    twins = make_ensemble([bundles[0], make_bundle(0)])
    together = captioner_of(twins).caption(sounds[0], sample_rate=RATE, seed=3)[0]
    alone = [
        captioner_of(bundles[0]).caption(sounds[0], sample_rate=RATE, seed=seed)[0]
        for seed in (3, 4)
    ]
    known = {c.text: c.log_likelihood for record in alone for c in record.candidates}
    assert {c.text: c.log_likelihood for c in together.candidates} == pytest.approx(known, abs=1e-4)
    assert sum(c.count for c in together.candidates) == 2 * OPTIONS.candidates


def test_beams_of_several_members_are_ranked_by_score(bundles, sounds):
    ensemble = make_ensemble(bundles, weights=[(0.1, 0.1), (0.9, 0.9)])
    found = captioner_of(ensemble).caption(sounds[0], sample_rate=RATE, decode="beam")[0].candidates
    assert {c.model for c in found} == {"m0", "m1"}
    scores = [c.score for c in found]
    assert scores == sorted(scores, reverse=True)


def test_a_beam_over_averaged_tokens_keeps_its_order(bundles, sounds):
    ensemble = make_ensemble(bundles, "tokens")
    found = captioner_of(ensemble).caption(sounds[0], sample_rate=RATE, decode="beam")[0].candidates
    assert all(c.model is None for c in found)
    likely = [c.log_likelihood for c in found]
    assert likely == sorted(likely, reverse=True)
    assert likely != sorted(likely)


def test_one_member_with_all_the_weight_speaks_as_it_does_alone(bundles, sounds):
    ensemble = make_ensemble(bundles, "tokens", weights=[(0.0, 0.0), (1.0, 1.0)])
    together = captioner_of(ensemble).caption(sounds, sample_rate=RATE, seed=5)
    alone = captioner_of(bundles[1]).caption(sounds, sample_rate=RATE, seed=5)
    for ours, theirs in zip(together, alone, strict=True):
        assert [c.text for c in ours.candidates] == [c.text for c in theirs.candidates]
        assert [c.score for c in ours.candidates] == pytest.approx(
            [c.score for c in theirs.candidates], abs=1e-4
        )


@torch.inference_mode()
def test_likelihoods_of_averaged_tokens_are_those_of_the_average(bundles, sounds):
    """Gathered in the search, read token by token, and by teacher forcing of both models."""
    weights = [(0.25, 1.0), (0.75, 1.0)]
    found = captioner_of(make_ensemble(bundles, "tokens", weights)).caption(
        sounds, sample_rate=RATE
    )
    tokenizer = bundles[0].tokenizer
    for clip, record in enumerate(found):
        steps = AveragedSteps([begun(b, sounds[clip : clip + 1]) for b in bundles], [1.0, 3.0])
        hypotheses = [Hypothesis(c.text, (), None) for c in record.candidates]
        read = stepped_likelihoods(steps, [hypotheses], tokenizer)[0]
        memories = [bundle.model.encode([sounds[clip]]) for bundle in bundles]
        for candidate, stepped in zip(record.candidates, read, strict=True):
            ids = [*tokenizer.encode(candidate.text), tokenizer.eos_id]
            inputs = torch.tensor([[2, *ids[:-1]]])
            one, two = (
                bundle.model.logits(memory, inputs)[0].softmax(-1)
                for bundle, memory in zip(bundles, memories, strict=True)
            )
            total = (0.25 * one + 0.75 * two).log()[range(len(ids)), ids].sum().item()
            assert candidate.summed_log_likelihood == pytest.approx(total, abs=1e-3)
            assert stepped.total == pytest.approx(total, abs=1e-3)
            assert stepped.mean == pytest.approx(total / len(ids), abs=1e-4)


@pytest.mark.parametrize("pool", ["candidates", "tokens"])
def test_company_in_the_batch_changes_nothing(bundles, sounds, pool):
    captioner = captioner_of(make_ensemble(bundles, pool))
    alone = [captioner.caption(sound, sample_rate=RATE)[0].caption for sound in sounds]
    assert [c.caption for c in captioner.caption(sounds[::-1], sample_rate=RATE)] == alone[::-1]
