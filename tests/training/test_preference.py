"""Preference optimisation: the loss, the pairs, and a run that raises its margin and resumes."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from auricle.errors import ModelError
from auricle.hub.folder import load_bundle
from auricle.metrics.cider import cider_d_simple
from auricle.text.fluency import default_detector
from auricle.training.config import PreferenceConfig
from auricle.training.dry_run import dry_run
from auricle.training.loop import new_accelerator
from auricle.training.monitor import TrainingWatch
from auricle.training.objective import Objective, dpo
from auricle.training.paired_job import paired_job
from auricle.training.preference import Ranked, pairs_of
from auricle.training.recipe import load_recipe
from auricle.training.rewards import Reward
from auricle.training.run import run_recipe
from tests.helpers.paths import RECIPES

RATE = 16_000
CAPTIONS = ("a low tone hums", "a high tone beeps", "white noise hisses", "a click repeats")


@pytest.fixture(autouse=True)
def _fresh_accelerate():
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """`tiny` on eight training clips, two candidates' worth of pairs each, no text embeddings."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(8):
        wave = rng.normal(size=RATE) * 0.1 + 0.3 * np.sin(np.arange(RATE) * (0.05 + 0.1 * i))
        soundfile.write(tmp_path / f"{i}.wav", wave.astype(np.float32), RATE)
        captions = [CAPTIONS[i % 4], f"{CAPTIONS[i % 4]} in the distance"]
        rows.append({"audio": f"{i}.wav", "captions": captions, "id": str(i), "split": "train"})
    (tmp_path / "clips.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    path = tmp_path / "toy.toml"
    path.write_text("""
        name = "toy"
        out = "out"
        start = "tiny"
        data = {train = ["clips.jsonl"], cache = "cache"}
        [training]
        epochs = 3
        batch_size = 4
        learning_rate = 1e-3
        warmup_steps = 0
        workers = 0
        checkpoint_every = 1
        [training.preference]
        reward = "similarity"
        candidates = 6
        pairs = 2
    """)
    return path


def job_of(recipe, *changes):
    loaded = load_recipe(recipe, changes)
    return paired_job(loaded, new_accelerator(loaded.training))


def test_the_loss_is_dpo():
    chosen, rejected = torch.tensor([-10.0, -20.0]), torch.tensor([-12.0, -15.0])
    reference = torch.tensor([[-11.0, -18.0], [-11.5, -18.5]])
    expected = []
    for i in range(2):
        ratio_chosen = chosen[i] - reference[0, i]
        ratio_rejected = rejected[i] - reference[1, i]
        expected.append(math.log1p(math.exp(-0.3 * (ratio_chosen - ratio_rejected))))
    torch.testing.assert_close(
        dpo(chosen, rejected, reference[0] - reference[1], 0.3), torch.tensor(expected)
    )


def test_pairs_are_the_best_against_the_worst_where_rewards_differ_enough():
    ranked = [
        Ranked(text, reward, -1.0) for text, reward in zip("abcde", (1, 5, 3, 2, 2), strict=True)
    ]
    found = pairs_of(ranked, PreferenceConfig(candidates=8, pairs=4))
    assert [(p.chosen.text, p.rejected.text) for p in found] == [("b", "a"), ("c", "e")]
    assert len(pairs_of(ranked, PreferenceConfig(candidates=8, pairs=4, min_gap=2.0))) == 1
    assert pairs_of([Ranked("a", 1, 0), Ranked("b", 1, 0)], PreferenceConfig()) == []
    assert pairs_of(ranked[:1], PreferenceConfig()) == []


def test_rewards_are_the_metric_less_nine_tenths_where_a_caption_is_broken():
    references = [("a dog barks", "a dog is barking"), ("rain falls on a roof",)]
    captions = [["a dog barks", "a dog dog and"], ["rain falls on a roof"]]
    found = Reward("cider_d", references)(captions, references)
    _, plain = cider_d_simple(["a dog barks", "rain falls on a roof"], references)
    assert found[0][0] == pytest.approx(plain[0])
    assert found[1] == pytest.approx(plain[1:])
    assert default_detector().fluent(captions[0]) == [True, False]
    similar = Reward("similarity", references)(captions, references)
    assert 0.8 < similar[0][0] <= 1
    assert similar[0][1] < 0.1
    standins = Reward("fense", references).label
    assert standins == "fense" or "auricle detector" in standins or "MiniLM" in standins


@torch.no_grad()
def test_log_probabilities_are_those_of_teacher_forcing_and_the_first_margin_is_none(recipe):
    job = job_of(recipe)
    (file,) = (recipe.parent / "out" / "training").glob("candidates-*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {row["id"] for row in rows} == {str(i) for i in range(8)}
    assert all(len(row["candidates"]) > 1 for row in rows)
    model, tokenizer = load_bundle("tiny").model.eval(), job.tokenizer
    config = model.config.decoder
    for row in rows[:3]:
        heard, _ = soundfile.read(recipe.parent / f"{row['id']}.wav", dtype="float32")
        memory = model.encode([heard])
        for candidate in row["candidates"]:
            ids = [*tokenizer.encode(candidate["text"]), config.eos_id]
            logits = model.logits(memory, torch.tensor([[config.start_id, *ids[:-1]]]))
            expected = logits[0].log_softmax(-1)[torch.arange(len(ids)), ids].sum()
            # features come as float16 from the cache
            assert candidate["log_probability"] == pytest.approx(expected.item(), abs=0.05)
    (batch,) = job.data.at(1)
    objective = Objective(job.model.train(), job.recipe.training)
    losses = objective(batch, (batch.labels != -100).sum())
    share = len(batch.pairs.clips) / len(batch)
    assert losses["dpo"].item() == pytest.approx(share * math.log(2), abs=1e-3)  # ratios are 1


def test_a_run_raises_the_margin_on_its_pairs(recipe):
    told = []
    run_recipe(recipe, ["training.epochs=8"], watch=TrainingWatch(note=told.append))
    assert any("pairs of 8 of 8 clips; similarity of all candidates" in note for note in told)
    job = job_of(recipe, "out=again")
    trained = load_bundle(recipe.parent / "out").model

    def margin(model):
        batches = [job.data.at(step)[0] for step in range(1, 9)]
        job.model.load_state_dict(model.state_dict())
        objective = Objective(job.model, job.recipe.training)
        with torch.no_grad():
            losses = [objective(b, torch.tensor(1))["dpo"] for b in batches]
        return torch.stack(losses).mean().item()

    assert margin(trained) < 0.9 * margin(load_bundle("tiny").model)
    assert "DPO (beta 0.1) x 1" in (recipe.parent / "out" / "README.md").read_text()


def test_a_killed_run_resumes_bit_identical_and_samples_nothing_again(recipe, monkeypatch):

    class KilledError(Exception):
        pass

    def die(report):
        if report.step == 4:
            raise KilledError

    def die_sampling(stage, done, total):
        if stage == "candidates" and done > 4:
            raise KilledError

    small = "auricle.training.preference.TOGETHER"
    whole = run_recipe(recipe, ["out=whole"])
    with monkeypatch.context() as patch:
        patch.setattr(small, 4)
        with pytest.raises(KilledError):
            run_recipe(recipe, ["out=cut"], watch=TrainingWatch(progress=die_sampling))
        (file,) = Path("cut/training").glob("candidates-*.jsonl")
        kept = file.read_bytes()
        assert len(kept.splitlines()) == 4
        file.write_bytes(kept + b'{"index": 7, "candi')  # a kill in the middle of a line
        with pytest.raises(KilledError):
            run_recipe(recipe, ["out=cut"], watch=TrainingWatch(step=die))
    assert file.read_bytes().startswith(kept)
    assert len(file.read_bytes().splitlines()) == 8
    stamp = file.stat().st_mtime_ns
    cut = run_recipe(recipe, ["out=cut"], resume=True)
    assert file.stat().st_mtime_ns == stamp
    a, b = (load_file(folder / "model.safetensors") for folder in (whole, cut))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_dry_run_samples_nothing_and_a_recipe_without_start_is_refused(recipe):
    found = dict(dry_run(recipe))
    assert "dpo" in found["losses"]
    assert "6 candidates of each clip" in found["preference"]
    assert not (recipe.parent / "out").exists()
    with pytest.raises(ModelError, match=r"give start and \[data\]"):
        load_recipe(recipe, ["start="])
    with pytest.raises(ModelError, match="from 1 to half the candidates"):
        load_recipe(recipe, ["training.preference.pairs=4"])


def test_the_papers_overlay_states_its_numbers():
    preference = load_recipe(RECIPES / "paper" / "preference", ["start=tiny"])
    config = preference.training.preference
    assert (config.reward, config.beta, preference.training.nll_weight) == ("spider_fl", 0.1, 1.0)
    assert preference.training.info_nce_weight == 1.0
