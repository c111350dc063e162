"""Reranking: every term against its slow, obvious version; weights, choice and reasons."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from auricle.decoding.hypothesis import Hypothesis, Scorer
from auricle.decoding.likelihood import Likelihood
from auricle.decoding.options import DecodeOptions, RerankWeights
from auricle.decoding.rerank import choose, explained, rank, score_candidates
from auricle.decoding.terms import TERMS, score
from auricle.errors import ModelError
from auricle.records import Candidate
from auricle.text.fluency import default_detector
from tests.helpers.models import RATE, captioner_of, make_bundle

DRAFTS = (
    Hypothesis("a dog barks", (), None, count=3),
    Hypothesis("a dog barks while rain falls", (), None, count=1),
    Hypothesis("wind blows and the", (), None, count=2),
)
LIKELIHOODS = (Likelihood(-1.0, -5.0), Likelihood(-2.0, -14.0), Likelihood(-0.5, -3.0))
OPTIONS = DecodeOptions()


class Embedder:
    """Each text a fixed random direction, by a seed of the embedder's own."""

    def __init__(self, seed=0):
        self.seed, self.calls = seed, []

    def embed(self, texts):
        self.calls.append(list(texts))
        return F.normalize(torch.stack([self.vector(text) for text in texts]), dim=-1)

    def vector(self, text):
        generator = torch.Generator().manual_seed(sum(map(ord, text)) + self.seed)
        return torch.randn(16, generator=generator)

    def cosine(self, one, other):
        """``other``: a text or a vector."""
        other = self.vector(other) if isinstance(other, str) else other
        return F.cosine_similarity(self.vector(one), other, dim=0).item()


def scorer(name="one", embedder=None, likelihood=1.0, similarity=1.0):
    return Scorer(name, None, None, embedder, likelihood, similarity)


def audio(seed=0):
    return torch.randn(1, 16, generator=torch.Generator().manual_seed(99 + seed))


def scored(scorers, hypotheses=DRAFTS, likelihoods=None, options=OPTIONS, **more):
    """The candidates of one clip by their texts."""
    likelihoods = likelihoods or [LIKELIHOODS] * len(scorers)
    sounds = [audio(number) for number in range(len(scorers))]
    found = score_candidates(
        scorers, sounds, [hypotheses], [[one] for one in likelihoods], options, **more
    )
    return {candidate.text: candidate for candidate in found[0]}


def test_every_weight_is_a_term_and_a_field_of_the_record():
    weights = RerankWeights(*(2.0**power for power in range(5)))
    assert list(vars(weights)) == list(TERMS)
    candidate = Candidate("x", -1.0, 0.5, 0.0, True, -8.0, 0.25, 0.125)
    assert score(candidate, weights) == 1 * -1.0 + 2 * -8.0 + 4 * 0.5 + 8 * 0.25 + 16 * 0.125


def test_terms_equal_their_definitions():
    embedder = Embedder()
    found = scored([scorer(embedder=embedder)])
    draws = [hypothesis.text for hypothesis in DRAFTS for _ in range(hypothesis.count)]
    for hypothesis, likelihood in zip(DRAFTS, LIKELIHOODS, strict=True):
        candidate = found[hypothesis.text]
        assert candidate.log_likelihood == likelihood.mean
        assert candidate.summed_log_likelihood == likelihood.total
        assert candidate.similarity == pytest.approx(
            embedder.cosine(hypothesis.text, audio()[0]), abs=1e-5
        )
        others = draws.copy()
        others.remove(hypothesis.text)
        cosines = [embedder.cosine(hypothesis.text, other) for other in others]
        assert candidate.agreement == pytest.approx(sum(cosines) / len(others), abs=1e-5)
        error = default_detector().error([hypothesis.text])[0]
        assert candidate.fluency == pytest.approx(1 - error)
        assert candidate.count == hypothesis.count
        hybrid = 0.3 * likelihood.mean + 0.7 * candidate.similarity
        assert candidate.score == pytest.approx(hybrid)


def test_a_draw_without_others_agrees_with_none():
    alone = scored([scorer(embedder=Embedder())], DRAFTS[1:2], [LIKELIHOODS[1:2]])
    assert alone[DRAFTS[1].text].agreement is None
    thrice = scored([scorer(embedder=Embedder())], DRAFTS[:1], [LIKELIHOODS[:1]])
    assert thrice[DRAFTS[0].text].agreement == pytest.approx(1.0)


def test_voices_are_averaged_by_their_weights():
    one, two = Embedder(1), Embedder(2)
    other = [Likelihood(-3.0, -9.0)] * 3
    scorers = [
        scorer("one", one, 1.0, 3.0),
        scorer("two", two, 3.0, 1.0),
        scorer("deaf", None, 4.0, 5.0),
    ]
    hypotheses = [replace(hypothesis, scorer=number) for number, hypothesis in enumerate(DRAFTS)]
    found = scored(scorers, hypotheses, [LIKELIHOODS, other, other])
    text = DRAFTS[0].text
    assert found[text].log_likelihood == pytest.approx(-1.0 / 8 - 3.0 * 7 / 8)
    assert found[text].summed_log_likelihood == pytest.approx(-5.0 / 8 - 9.0 * 7 / 8)
    seen = 0.75 * one.cosine(text, audio(0)[0]) + 0.25 * two.cosine(text, audio(1)[0])
    assert found[text].similarity == pytest.approx(seen, abs=1e-5)
    assert [found[hypothesis.text].model for hypothesis in hypotheses] == ["one", "two", "deaf"]
    with pytest.raises(ModelError, match="sum must be above 0"):
        scored([scorer(embedder=one, likelihood=0.0)])


def test_a_shared_embedder_embeds_a_text_once():
    shared = Embedder()
    hypotheses = [DRAFTS, DRAFTS[:2]]
    likelihoods = [[LIKELIHOODS, LIKELIHOODS[:2]]] * 2
    scorers = [scorer("one", shared), scorer("two", shared)]
    sounds = [audio().repeat(2, 1)] * 2
    both = score_candidates(scorers, sounds, hypotheses, likelihoods, OPTIONS)
    assert [sorted(call) for call in shared.calls] == [
        sorted(hypothesis.text for hypothesis in DRAFTS)
    ]
    assert [len(clip) for clip in both] == [3, 2]
    assert both[0][0].similarity is not None


def test_texts_are_embedded_only_when_a_term_counts_or_is_asked_for():
    embedder = Embedder()
    likelihood_alone = replace(OPTIONS, rerank=RerankWeights(similarity=0.0))
    found = scored([scorer(embedder=embedder)], options=likelihood_alone)
    assert not embedder.calls
    assert {c.similarity for c in found.values()} == {c.agreement for c in found.values()} == {None}
    asked = scored([scorer(embedder=embedder)], options=likelihood_alone, every_term=True)
    assert embedder.calls
    assert None not in {c.similarity for c in asked.values()}
    assert {t: c.score for t, c in asked.items()} == {t: c.score for t, c in found.items()}


def test_without_an_embedder_the_other_terms_rank():
    found = scored([scorer()])
    assert {c.similarity for c in found.values()} == {c.agreement for c in found.values()} == {None}
    assert all(c.score == 0.3 * c.log_likelihood for c in found.values())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (RerankWeights(likelihood=0.0), "weights only on similarity: they need a text embedder"),
        (RerankWeights(likelihood=0.0, similarity=0.0), "all weights are 0"),
    ],
)
def test_weights_that_leave_nothing_to_rank_by_are_refused(weights, message):
    with pytest.raises(ModelError, match=message):
        scored([scorer()], options=replace(OPTIONS, rerank=weights))
    scored([scorer()], options=replace(OPTIONS, rerank=weights, method="beam"))  # ranks by none


def test_the_best_fluent_candidate_wins_and_the_others_know_why():
    likelihood_alone = replace(OPTIONS, rerank=RerankWeights(similarity=0.0))
    found = list(scored([scorer()], options=likelihood_alone).values())
    assert [c.text for c in found] == [DRAFTS[2].text, DRAFTS[0].text, DRAFTS[1].text]
    assert choose(found).text == DRAFTS[0].text
    broken, chosen, behind = found
    assert chosen.reason is None
    assert broken.reason.startswith("not fluent: incomplete end ")
    assert behind.reason == "score 0.3 below"


def test_all_disfluent_the_best_score_wins():
    found = list(scored([scorer()], DRAFTS[2:], [LIKELIHOODS[2:]]).values())
    assert choose(found) is found[0]
    assert (found[0].fluent, found[0].reason) == (False, None)


@pytest.mark.parametrize("method", ["beam", "diverse-beam", "greedy"])
def test_a_search_keeps_its_order(method):
    options = DecodeOptions(method, candidates=4)
    found = list(scored([scorer(embedder=Embedder())], options=options).values())
    assert [c.text for c in found] == [hypothesis.text for hypothesis in DRAFTS]
    assert found[1].reason == f"later in the order of {method} search"


def test_choosing_again_changes_nothing():
    weights = RerankWeights(0.1, 0.0, 0.2, 0.3, 0.4)
    ranked = list(
        scored([scorer(embedder=Embedder())], options=replace(OPTIONS, rerank=weights)).values()
    )
    assert explained(rank(ranked)) == ranked
    equal = [replace(c, score=1.0, fluent=True, reason=None) for c in ranked]
    assert [c.reason for c in explained(equal)][1:] == ["same score, found later"] * 2


def test_weights_too_large_for_their_numbers_are_told(sounds):
    bundle = make_bundle(0)
    bundle.model.decoder.logits_bias.data.fill_(3e38)
    bundle.model.decoder.tokens.weight.data.fill_(1e38)
    with pytest.raises(ModelError, match="debug-0: the scores of captions are no numbers"):
        captioner_of(bundle).caption(sounds[0], sample_rate=RATE)
