"""Ensembles: their folders, and what members share."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import auricle
from auricle.errors import ModelError
from auricle.hearing import encode_together
from auricle.hub.ensemble import load_model, member_names, save_ensemble
from auricle.hub.folder import load_bundle, save_bundle
from auricle.pipeline import Captioner
from tests.helpers.hash_embedder import HashEmbedder
from tests.helpers.models import RATE, captioner_of, make_bundle, make_ensemble

OTHER_WORDS = "an engine hums near birds that sing over water".split()


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_round_trip(ensemble_folder, bundles):
    again = load_model(ensemble_folder)
    assert again.config == make_ensemble(bundles, weights=[(0.25, 0.5), (0.75, 0.5)]).config
    assert "| m1 | 0.75 | 0.50 |" in again.card
    for ours, theirs in zip(bundles, again.bundles, strict=True):
        assert theirs.card == ours.card
        theirs_state = theirs.model.state_dict()
        assert all(torch.equal(v, theirs_state[k]) for k, v in ours.model.state_dict().items())


def test_the_same_name_loads_a_single_model(ensemble_folder):
    alone = load_model(ensemble_folder / "members" / "m0")
    assert [bundle.name for bundle in alone.bundles] == [alone.name]


def test_a_loaded_ensemble_captions_and_saves_again(ensemble_folder, sounds, tmp_path, monkeypatch):
    monkeypatch.setattr("auricle.hub.ensemble.TextEmbedder", lambda *a: HashEmbedder())
    captioner = auricle.Captioner.from_pretrained(ensemble_folder, device="cpu")
    first = captioner.caption(sounds, sample_rate=RATE)
    captioner.save_pretrained(tmp_path / "again")
    again = auricle.Captioner.from_pretrained(tmp_path / "again", device="cpu").caption(
        sounds, sample_rate=RATE
    )
    assert [c.caption for c in again] == [c.caption for c in first]
    assert [c.score for c in again] == pytest.approx([c.score for c in first])
    saved = {p.relative_to(tmp_path / "again").as_posix() for p in tmp_path.rglob("again/**/*.*")}
    assert {"config.json", "README.md", "members/m1/model.safetensors"} <= saved


def test_a_missing_member_is_named(ensemble_folder):
    (ensemble_folder / "members" / "m1").rename(ensemble_folder / "elsewhere")
    with pytest.raises(ModelError, match="member 'm1' is missing"):
        load_model(ensemble_folder)


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
def test_what_a_config_cannot_say(ensemble_folder, changes, message):
    change_config(ensemble_folder, **changes)
    with pytest.raises(ModelError, match=message) as error:
        load_model(ensemble_folder)
    assert str(ensemble_folder) in str(error.value)


def test_an_ensemble_is_no_member_and_no_single_model(ensemble_folder, tmp_path):
    with pytest.raises(ModelError, match="an ensemble, where a single model is needed"):
        load_bundle(ensemble_folder)
    inner = ensemble_folder / "members" / "m1"
    for path in ensemble_folder.glob("config.json"):
        (inner / "config.json").write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match=r"m1: an ensemble, where a single model is needed"):
        load_model(ensemble_folder)


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


def test_equal_encoders_become_one_that_runs_once(ensemble_folder, sounds, bundles):
    models = [bundle.model for bundle in load_model(ensemble_folder).bundles]
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


def test_the_shortest_hearing_member_sets_the_length_of_parts(bundles):
    short = make_bundle(5, max_duration_s=0.5)
    captioner = captioner_of(make_ensemble([bundles[0], short]))
    assert captioner.max_duration_s == 0.5
    sound, told = np.ones(RATE, np.float32) * 0.1, []
    (found,) = captioner.stream([sound], sample_rate=RATE, progress=lambda *at: told.append(at))
    assert found.caption.end_s == 1.0
    assert told  # it was heard in parts


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([{"name": f"m{i}"} for i in range(10_000)], "members=.*from 0 to 100 items"),
        ([{"name": "../m0"}, {"name": "m1"}], "because it names a folder"),
        (
            [{"name": "m0"}, {"name": "m1", "likelihood_weight": float("inf")}],
            "Infinity is no number",
        ),
        ([{"name": "m0"}, {"name": "m1", "likelihood_weight": 10**400}], "too many digits"),
        ([{"name": "m0"}, 3], r"must be a section"),
        ("m0", "must be a section"),
    ],
)
def test_absurd_members_are_refused(ensemble_folder, members, message):
    change_config(ensemble_folder, members=members)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(ensemble_folder)
    assert len(str(caught.value)) < 500


def test_a_member_may_not_be_an_ensemble(ensemble_folder):
    place = ensemble_folder / "members" / "m0"
    place.rename(ensemble_folder.parent / "m0")
    place.symlink_to(ensemble_folder)
    with pytest.raises(ModelError, match="an ensemble, where a single model is needed"):
        load_model(ensemble_folder)


def test_a_tokenizer_with_ids_that_the_decoder_lacks_is_refused(tmp_path):
    bundle = make_bundle(0)
    save_bundle(tmp_path, bundle)
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"]["dog-like"] = 300
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="ids up to 300, its decoder 300 tokens"):
        load_model(tmp_path)


class NarrowEmbedder(HashEmbedder):
    def embed(self, texts):
        return super().embed(texts)[:, :7]


def test_a_text_embedder_of_another_width_is_named():
    captioner = captioner_of(make_bundle(0))
    captioner.scorers = tuple(
        replace(scorer, embedder=NarrowEmbedder()) for scorer in captioner.scorers
    )
    noise = np.random.default_rng(0).standard_normal(RATE) / 20
    with pytest.raises(ModelError, match="its text embedder gives 7 numbers and the model 384"):
        captioner.caption(noise.astype(np.float32), sample_rate=RATE)
