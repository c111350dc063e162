"""Ensembles: their folders, what members share, averages of tokens."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import auricle
from auricle.decoding.ensemble import AveragedSteps, stepped_likelihoods
from auricle.decoding.hypothesis import Hypothesis
from auricle.decoding.likelihood import log_likelihoods
from auricle.decoding.steps import DecoderSteps
from auricle.errors import ModelError
from auricle.hearing import encode_together
from auricle.hub.ensemble import (
    load_model,
    member_names,
    save_ensemble,
)
from auricle.hub.folder import Bundle, load_bundle, save_bundle
from auricle.pipeline import Captioner
from ensembles import (
    OPTIONS,
    OTHER_WORDS,
    RATE,
    bundles,
    captioner_of,
    change_config,
    folder,
    make_bundle,
    make_ensemble,
    sounds,
)
from hash_embedder import HashEmbedder


def test_a_folder_round_trip(folder, bundles):
    again = load_model(folder)
    assert again.config == make_ensemble(bundles, weights=[(0.25, 0.5), (0.75, 0.5)]).config
    assert "| m1 | 0.75 | 0.50 |" in again.card
    for ours, theirs in zip(bundles, again.bundles, strict=True):
        assert theirs.card == ours.card
        theirs_state = theirs.model.state_dict()
        assert all(torch.equal(v, theirs_state[k]) for k, v in ours.model.state_dict().items())


def test_the_same_name_loads_a_single_model(folder):
    alone = load_model(folder / "members" / "m0")
    assert [bundle.name for bundle in alone.bundles] == [alone.name]


def test_a_loaded_ensemble_captions_and_saves_again(folder, sounds, tmp_path, monkeypatch):
    monkeypatch.setattr("auricle.hub.ensemble.TextEmbedder", lambda *a: HashEmbedder())
    captioner = auricle.Captioner.from_pretrained(folder, device="cpu")
    first = captioner.caption(sounds)
    captioner.save_pretrained(tmp_path / "again")
    again = auricle.Captioner.from_pretrained(tmp_path / "again", device="cpu").caption(sounds)
    assert [c.caption for c in again] == [c.caption for c in first]
    assert [c.score for c in again] == pytest.approx([c.score for c in first])
    saved = {p.relative_to(tmp_path / "again").as_posix() for p in tmp_path.rglob("again/**/*.*")}
    assert {"config.json", "README.md", "members/m1/model.safetensors"} <= saved


def test_a_missing_member_is_named(folder):
    (folder / "members" / "m1").rename(folder / "elsewhere")
    with pytest.raises(ModelError, match="member 'm1' is missing"):
        load_model(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "auricle-ensemble-9"}, "'auricle-ensemble-9' is unknown; expected"),
        ({"members": [{"name": "m0"}]}, "an ensemble has two or more"),
        ({"members": [{"name": "m0"}, {"name": "m0"}]}, "two members are called 'm0'"),
        ({"members": [{"name": "m0"}, {"name": "../m1"}]}, "names a folder"),
        ({"members": [{"name": "m0"}, {"name": ".."}]}, "names a folder"),
        ({"members": [{"name": "m0", "weight": 1}, {"name": "m1"}]}, "'members.weight' is unknown"),
        (
            {"members": [{"name": n, "likelihood_weight": 0} for n in ("m0", "m1")]},
            "every likelihood_weight is 0",
        ),
        ({"pool": "words"}, "'candidates' or 'tokens'"),
    ],
)
def test_what_a_config_cannot_say(folder, changes, message):
    change_config(folder, **changes)
    with pytest.raises(ModelError, match=message) as error:
        load_model(folder)
    assert str(folder) in str(error.value)


def test_an_ensemble_is_no_member_and_no_single_model(folder, tmp_path):
    with pytest.raises(ModelError, match="an ensemble, where a single model is needed"):
        load_bundle(folder)
    inner = folder / "members" / "m1"
    for path in folder.glob("config.json"):
        (inner / "config.json").write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match=r"m1: an ensemble, where a single model is needed"):
        load_model(folder)


def test_a_single_model_is_not_written_over(bundles, tmp_path):
    save_bundle(tmp_path, bundles[0])
    with pytest.raises(ModelError, match="holds a single model"):
        save_ensemble(tmp_path, make_ensemble(bundles))


def test_members_that_hear_different_rates(bundles):
    slow = make_bundle(2)
    slow.model.encoder.sample_rate_hz = 8000
    with pytest.raises(ModelError, match=r"m0 hears 16000 Hz and m1 8000 Hz"):
        make_ensemble([bundles[0], slow])


def test_tokens_are_averaged_over_one_vocabulary_alone(bundles):
    other = make_bundle(3, OTHER_WORDS)
    make_ensemble([bundles[0], other])
    with pytest.raises(ModelError, match="m0 and m1 have different tokenizers"):
        make_ensemble([bundles[0], other], "tokens")
    make_ensemble([bundles[0], make_bundle(1)], "tokens")


def test_names_of_members_are_distinct_folder_names(tmp_path):
    paths = [tmp_path / "a" / "run", tmp_path / "b" / "run", "me/ears", "tiny", "zwei Ohren"]
    assert member_names(paths) == ["run", "run-2", "ears", "tiny", "zwei-Ohren"]


# What members share


def test_equal_encoders_become_one_that_runs_once(folder, sounds, bundles):
    models = [bundle.model for bundle in load_model(folder).bundles]
    assert models[0].encoder is models[1].encoder
    calls = []
    models[0].encoder.register_forward_hook(lambda *a: calls.append(a))
    together = encode_together(models, sounds)
    assert len(calls) == 1
    for memory, bundle in zip(together, bundles, strict=True):
        alone = bundle.model.encode(sounds)
        assert torch.equal(memory.memory, alone.memory)
        assert torch.equal(memory.embedding, alone.embedding)


def test_different_encoders_stay_two(bundles, sounds):
    other = make_bundle(4)
    with torch.no_grad():
        next(other.model.encoder.parameters()).add_(0.01)
    ensemble = make_ensemble([bundles[0], other])
    models = [bundle.model for bundle in ensemble.bundles]
    assert models[0].encoder is not models[1].encoder
    memory = encode_together(models, sounds)[1]
    assert torch.equal(memory.memory, other.model.encode(sounds).memory)


def test_text_embedders_are_shared_by_name_and_prompt(bundles):
    spec = replace(bundles[0].embedder, prompt="Say: ")
    three = [*bundles, replace(make_bundle(2), embedder=spec)]
    one, two, three = (scorer.embedder for scorer in Captioner(make_ensemble(three)).scorers)
    assert one is two
    assert three is not two


def test_the_shortest_hearing_member_sets_the_limit(bundles):
    short = make_bundle(5, max_duration_s=0.5)
    captioner = captioner_of(make_ensemble([bundles[0], short]))
    assert captioner.caption(np.ones(RATE, np.float32) * 0.1)[0].end_s == 0.5


# Averages of tokens


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


# Captions


def test_every_member_proposes_and_judges_and_the_averages_are_weighted(bundles, sounds):
    weights = [(0.25, 0.9), (0.75, 0.1)]
    together = captioner_of(make_ensemble(bundles, weights=weights)).caption(sounds[0])[0]
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
    together = captioner_of(twins).caption(sounds[0], seed=3)[0]
    alone = [captioner_of(bundles[0]).caption(sounds[0], seed=seed)[0] for seed in (3, 4)]
    known = {c.text: c.log_likelihood for record in alone for c in record.candidates}
    assert {c.text: c.log_likelihood for c in together.candidates} == pytest.approx(known, abs=1e-4)
    assert sum(c.count for c in together.candidates) == 2 * OPTIONS.candidates


def test_beams_of_several_members_are_ranked_by_score(bundles, sounds):
    ensemble = make_ensemble(bundles, weights=[(0.1, 0.1), (0.9, 0.9)])
    found = captioner_of(ensemble).caption(sounds[0], decode="beam")[0].candidates
    assert {c.model for c in found} == {"m0", "m1"}
    scores = [c.score for c in found]
    assert scores == sorted(scores, reverse=True)


def test_a_beam_over_averaged_tokens_keeps_its_order(bundles, sounds):
    ensemble = make_ensemble(bundles, "tokens")
    found = captioner_of(ensemble).caption(sounds[0], decode="beam")[0].candidates
    assert all(c.model is None for c in found)
    likely = [c.log_likelihood for c in found]
    assert likely == sorted(likely, reverse=True)
    assert likely != sorted(likely)


def test_one_member_with_all_the_weight_speaks_as_it_does_alone(bundles, sounds):
    ensemble = make_ensemble(bundles, "tokens", weights=[(0.0, 0.0), (1.0, 1.0)])
    together = captioner_of(ensemble).caption(sounds, seed=5)
    alone = captioner_of(bundles[1]).caption(sounds, seed=5)
    for ours, theirs in zip(together, alone, strict=True):
        assert [c.text for c in ours.candidates] == [c.text for c in theirs.candidates]
        assert [c.score for c in ours.candidates] == pytest.approx(
            [c.score for c in theirs.candidates], abs=1e-4
        )


@torch.inference_mode()
def test_likelihoods_of_averaged_tokens_are_those_of_the_average(bundles, sounds):
    """Gathered in the search, read token by token, and by teacher forcing of both models."""
    weights = [(0.25, 1.0), (0.75, 1.0)]
    found = captioner_of(make_ensemble(bundles, "tokens", weights)).caption(sounds)
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
    alone = [captioner.caption(sound)[0].caption for sound in sounds]
    assert [c.caption for c in captioner.caption(sounds[::-1])] == alone[::-1]


# Weights fitted on clips
