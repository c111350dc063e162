"""Ensembles: their folders, what members share, averages of tokens, weights fitted on clips."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from torch.nn import functional as F
from typer.testing import CliRunner

import auricle
from auricle.cli.ensemble import app
from auricle.decoding.choice import choose, rank
from auricle.decoding.ensemble import AveragedSteps, encode_together, stepped_likelihoods
from auricle.decoding.likelihood import log_likelihoods
from auricle.decoding.options import DecodeOptions, RerankWeights
from auricle.decoding.steps import DecoderSteps
from auricle.decoding.voice import Draft
from auricle.errors import ModelError
from auricle.hub.ensemble import (
    Ensemble,
    EnsembleConfig,
    Member,
    load_model,
    member_names,
    save_ensemble,
)
from auricle.hub.folder import Bundle, EmbedderSpec, load_bundle, save_bundle
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.pipeline import Captioner
from auricle.records import Candidate
from auricle.text.tokenizer import CaptionTokenizer
from auricle.tuning.ensemble import FITTED, MEAN, Trials, Weights, fit_ensemble
from auricle.tuning.hearing import HeardClip, hear, read_clips
from auricle.tuning.panel import Opinions, Panel, token_points
from hash_embedder import HashEmbedder

RATE = 16_000
WORDS = "a dog barks while rain falls and wind blows as people talk in the distance".split()
OTHER_WORDS = "an engine hums near birds that sing over water".split()
OPTIONS = DecodeOptions(candidates=6, temperature=1.0, max_length=12)


def make_bundle(seed, words=WORDS, **changes):
    """A random model; every one has the encoder of seed 0, as frozen encoders are equal."""
    torch.manual_seed(0)
    config = replace(debug_config(vocab_size=300), **changes)
    model = AudioCaptioner(config)
    encoder = model.encoder
    torch.manual_seed(seed)
    model = AudioCaptioner(config).eval()
    model.encoder = encoder.eval()
    torch.nn.init.normal_(model.decoder.tokens.weight, std=0.2)
    tokenizer = CaptionTokenizer.train([" ".join(words)], 300)
    spec = EmbedderSpec("all-MiniLM-L6-v2", "")
    return Bundle(f"debug-{seed}", model, tokenizer, spec, OPTIONS, f"# Member {seed}\n")


def make_ensemble(bundles, pool="candidates", weights=None):
    weights = weights or [(1.0, 1.0)] * len(bundles)
    members = tuple(Member(f"m{i}", *pair) for i, pair in enumerate(weights))
    config = EnsembleConfig(members, pool, OPTIONS)
    return Ensemble("together", config, tuple(bundles))


def captioner_of(bundle):
    captioner = Captioner(bundle)
    embedder = HashEmbedder()
    captioner.voices = tuple(replace(voice, embedder=embedder) for voice in captioner.voices)
    return captioner


@pytest.fixture(scope="module")
def bundles():
    return [make_bundle(seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def sounds():
    noise = np.random.default_rng(0)
    return [(noise.standard_normal(int(RATE * s)) * 0.1).astype(np.float32) for s in (1, 0.5)]


@pytest.fixture
def folder(bundles, tmp_path):
    ensemble = make_ensemble(bundles, weights=[(0.25, 0.5), (0.75, 0.5)])
    save_ensemble(tmp_path / "ens", ensemble)
    return tmp_path / "ens"


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# Folders


def test_a_folder_round_trip(folder, bundles):
    again = load_model(folder)
    assert again.config == make_ensemble(bundles, weights=[(0.25, 0.5), (0.75, 0.5)]).config
    assert "| m1 | 0.75 | 0.50 |" in again.card
    for ours, theirs in zip(bundles, again.bundles, strict=True):
        assert theirs.card == ours.card
        theirs_state = theirs.model.state_dict()
        assert all(torch.equal(v, theirs_state[k]) for k, v in ours.model.state_dict().items())


def test_the_same_name_loads_a_single_model(folder):
    assert isinstance(load_model(folder / "members" / "m0"), Bundle)


def test_a_loaded_ensemble_captions_and_saves_again(folder, sounds, tmp_path, monkeypatch):
    monkeypatch.setattr("auricle.pipeline.TextEmbedder", lambda *a: HashEmbedder())
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
    one, two, three = (voice.embedder for voice in Captioner(make_ensemble(three)).voices)
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
        memories = [captioner.model.encode(sounds[:1]) for captioner in single]
    for candidate in together.candidates:
        judged = []
        for captioner, memory in zip(single, memories, strict=True):
            cross = captioner.model.decoder.read_memory(memory.memory, memory.lengths)
            judged.append(
                log_likelihoods(
                    captioner.model.decoder, cross, [[candidate.text]], captioner.tokenizer
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
        drafts = [Draft(c.text, (), None) for c in record.candidates]
        read = stepped_likelihoods(steps, [drafts], tokenizer)[0]
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


@pytest.fixture
def manifest(sounds, tmp_path):
    """Six clips with captions, one without, and one that cannot be read."""
    noise = np.random.default_rng(1)
    rows = []
    for number in range(6):
        sound = noise.standard_normal(RATE // 2) * 0.1
        soundfile.write(tmp_path / f"{number}.wav", sound, RATE)
        captions = [" ".join(noise.choice(WORDS, 6)) for _ in range(3)]
        rows.append({"audio": f"{number}.wav", "captions": captions, "id": str(number)})
    (tmp_path / "bad.wav").write_text("no audio")
    rows.append({"audio": "bad.wav", "captions": ["rain falls"], "id": "bad"})
    rows.append({"audio": "0.wav", "captions": [], "id": "mute"})
    path = tmp_path / "val.jsonl"
    path.write_text("".join(json.dumps(row | {"split": "val"}) + "\n" for row in rows))
    return path


def panel_of(ensemble, manifest, notes=None):
    panel = Panel(ensemble)
    embedder = HashEmbedder()
    panel.voices = tuple(replace(voice, embedder=embedder) for voice in panel.voices)
    notes = [] if notes is None else notes
    heard = hear(panel, read_clips(manifest, notes.append), seed=2, on_note=notes.append)
    return panel, heard


@pytest.mark.parametrize("pool", ["candidates", "tokens"])
def test_a_table_chooses_what_the_ensemble_captions(bundles, manifest, pool):
    """Looked up, against decoded anew under each setting of weights."""
    rerank = RerankWeights(0.3, 0.01, 0.7, 0.1, 0.2)
    ensemble = make_ensemble(bundles, pool)
    ensemble = replace(
        ensemble, config=replace(ensemble.config, decoding=replace(OPTIONS, rerank=rerank))
    )
    notes = []
    panel, heard = panel_of(ensemble, manifest, notes)
    assert len(heard) == len(panel.opinions) == 6
    assert any("bad.wav" in note for note in notes)
    worth = [
        [np.arange(len(o.together[point][0])) for o in panel.opinions]  # the place of the chosen
        for point in range(len(panel.points))
    ]
    trials = Trials.of(heard, panel, worth)
    settings = [(panel.points[at], row) for at, row in ((0, (0.5, 0.5)), (-1, (0.1, 0.9)))]
    if pool == "candidates":
        settings += [((0.9, 0.1), (0.0, 1.0)), ((0.0, 1.0), (1.0, 0.0))]
    paths = [manifest.parent / f"{clip.id}.wav" for clip in heard]
    for likelihood, similarity in settings:
        weights = Weights(likelihood, similarity)
        members = tuple(map(Member, ("m0", "m1"), likelihood, similarity))
        config = replace(ensemble.config, members=members)
        said = captioner_of(replace(ensemble, config=config)).caption(paths, seed=2)
        point = 0 if pool == "candidates" else panel.points.index(likelihood)
        looked_up = [
            opinions.together[point][0][int(place)].text
            for opinions, place in zip(panel.opinions, trials.earned(weights), strict=True)
        ]
        assert looked_up == [caption.caption for caption in said]


def test_what_members_say_alone_is_what_they_caption(bundles, manifest):
    panel, heard = panel_of(make_ensemble(bundles), manifest)
    paths = [manifest.parent / f"{clip.id}.wav" for clip in heard]
    for number, bundle in enumerate(bundles):
        said = captioner_of(bundle).caption(paths, seed=2)
        alone = [choose(opinions.alone[number]).text for opinions in panel.opinions]
        assert alone == [caption.caption for caption in said]


def imagined(knowing, clips=60, seed=0):
    """A panel of two, the second of which knows (or not) the better of two candidates; the metric
    is written in their texts."""
    noise = np.random.default_rng(seed)
    heard, opinions = [], []
    for clip in range(clips):
        worth = noise.permutation([0.0, 1.0])
        judged = []
        for member in range(2):
            sees = 0.2 * worth if member and knowing else noise.normal(0, 0.1, 2) * knowing
            judged.append(
                tuple(
                    Candidate(f"{clip} {w}", -1.0, float(s), 0.7 * float(s), True)
                    for w, s in zip(worth, sees, strict=True)
                )
            )
        alone = tuple(tuple(rank(found)) for found in judged)
        opinions.append(Opinions(alone, (tuple(judged),)))
        heard.append(HeardClip(str(clip), str(clip), ("x",), judged[0]))
    members = (Member("guesses"), Member("knows"))
    ensemble = SimpleNamespace(config=SimpleNamespace(members=members), decoding=OPTIONS)
    panel = SimpleNamespace(
        ensemble=ensemble, pool="candidates", points=[(0.5, 0.5)], opinions=opinions
    )
    return heard, panel


@pytest.fixture
def worth_in_text(monkeypatch):
    def of(heard):
        return [np.array([float(c.text.split()[1]) for c in clip.candidates]) for clip in heard]

    monkeypatch.setattr("auricle.tuning.ensemble.metric", lambda name: (name, of))


def test_the_member_that_knows_gets_the_weight(worth_in_text):
    found = fit_ensemble(*imagined(knowing=True))
    assert found.weights.similarity[1] > 0.5
    assert found.best == "knows"
    assert found.rows[FITTED].value > found.rows[MEAN].value
    assert found.rows["the best candidate (oracle)"].value == 1.0
    assert "a gain" in found.verdicts()[2]
    assert "no ensemble of these does better here than knows alone" in found.verdicts()
    assert "| knows | 1.000 |" in found.to_markdown()
    assert fit_ensemble(*imagined(knowing=True)) == found


def test_where_nothing_can_be_learned_the_mean_stays(worth_in_text):
    found = fit_ensemble(*imagined(knowing=False))
    assert found.weights == Weights.mean(2)
    assert found.gains[f"{FITTED}, over {MEAN}"] == (0, 0, 0)
    assert all("no difference that shows" in verdict for verdict in found.verdicts()[:3])


def test_the_plain_mean_is_not_fitted(worth_in_text):
    found = fit_ensemble(*imagined(knowing=True), fitted=False)
    assert found.weights == Weights.mean(2)
    assert FITTED not in found.rows


@pytest.mark.parametrize("members", [2, 3, 4, 6])
def test_the_points_that_are_decoded_are_few_and_hold_mean_and_corners(members):
    points = token_points(members)
    assert len(points) <= 11
    assert points[0] == (1 / members,) * members
    for row in np.eye(members):
        assert tuple(row) in points
    assert all(sum(point) == pytest.approx(1) for point in points)


@pytest.mark.parametrize("pool", ["candidates", "tokens"])
def test_fit_from_the_command_line(bundles, manifest, tmp_path, monkeypatch, pool):
    monkeypatch.setattr("auricle.pipeline.TextEmbedder", lambda *a: HashEmbedder())
    for number, bundle in enumerate(bundles):
        save_bundle(tmp_path / f"m{number}", bundle)
    out = tmp_path / "out"
    words = ["fit", str(tmp_path / "m0"), str(tmp_path / "m1"), "--data", str(manifest)]
    words += ["--output", str(out), "--pool", pool, "--folds", "3", "--candidates", "4"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "fitted, on clips held out" in result.stdout
    assert "bad.wav" in result.stderr
    ensemble = load_model(out)
    assert (ensemble.config.pool, ensemble.decoding.candidates) == (pool, 4)
    report = json.loads((out / "tuning.json").read_text())["ensemble"]
    assert report["clips"] == 6
    assert f"{report['rows'][MEAN]['value']:.3f}" in ensemble.card
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 2
    assert "is not empty" in again.stderr


def test_fit_of_one_model_or_of_an_ensemble_is_refused(folder, manifest, tmp_path):
    words = ["--data", str(manifest), "--output", str(tmp_path / "out")]
    one = CliRunner().invoke(app, ["fit", str(folder / "members" / "m0"), *words])
    assert one.exit_code == 2
    assert "an ensemble has two or more" in one.stderr
    nested = CliRunner().invoke(app, ["fit", str(folder), str(folder), *words])
    assert nested.exit_code == 2
    assert "an ensemble, where a single model is needed" in nested.stderr


def test_fit_on_clips_that_nobody_can_read(bundles, manifest, tmp_path, monkeypatch):
    monkeypatch.setattr("auricle.pipeline.TextEmbedder", lambda *a: HashEmbedder())
    rows = [line for line in manifest.read_text().splitlines() if "bad.wav" in line]
    manifest.write_text("\n".join(rows))
    for number, bundle in enumerate(bundles):
        save_bundle(tmp_path / f"m{number}", bundle)
    words = ["fit", str(tmp_path / "m0"), str(tmp_path / "m1"), "--data", str(manifest)]
    result = CliRunner().invoke(app, [*words, "--output", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "no clip could be heard" in result.stderr
    assert not (tmp_path / "out").exists()
