"""A recipe from its files to a model folder, killed, continued, changed, and refused."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

import auricle
from auricle.data.keys import ContentKeys
from auricle.data.manifest import read_manifest
from auricle.data.store import ArrayStore
from auricle.errors import DataError, ModelError, TrainingError
from auricle.shards import JOB, write_rows
from auricle.training.dry_run import dry_run
from auricle.training.monitor import TrainingWatch
from auricle.training.precompute import BATCH_SETTINGS
from auricle.training.recipe import load_recipe
from auricle.training.run import _alone, precompute_recipe, run_recipe
from tests.helpers.toy_recipe import CAPTIONS

pytestmark = pytest.mark.usefixtures("fresh_accelerate")


def weights(folder):
    return load_file(Path(folder) / "model.safetensors")


def same(a, b):
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ["data.features=computed", "augment.place=fbank", "training.workers=1"],
        ["data.features=computed", "training.tune_encoder=true", "training.accumulate=2"],
        ["training.info_nce_weight=0", "model.conformer.layers=0", "augment.place=memory"],
    ],
    ids=["cached", "specaugment", "tuned", "ablated"],
)
def test_a_run_ends_in_a_model_folder_that_captions(recipe, changes):
    seen, validated = [], []
    watch = TrainingWatch(
        step=lambda p: seen.append(p.step),
        validated=lambda epoch, found, better: validated.append((epoch, found.cider_d is None)),
    )
    out = run_recipe(recipe, changes, watch=watch)
    assert seen == list(range(1, seen[-1] + 1))
    assert validated == [(1, True), (2, False)]
    (found,) = auricle.load(out).caption(recipe.with_name("0.wav"))
    assert found.caption
    card = (out / "README.md").read_text()
    assert "CC0" in card
    assert "toy.toml" in card
    assert list((out / "training" / "logs").iterdir())


def test_a_tuned_encoder_learns_and_a_frozen_one_does_not(recipe):
    tune = ["training.tune_encoder=true", "data.features=computed"]
    for out, changes in {"once": [], "twice": ["training.epochs=4"], "tuned": tune}.items():
        run_recipe(recipe, [f"out={out}", *changes])
    once, twice, tuned = map(weights, ("once", "twice", "tuned"))
    encoder = [key for key in once if key.startswith("encoder.")]
    assert len(encoder) > 30
    assert all(torch.equal(once[key], twice[key]) for key in encoder)
    key = "encoder.layers.0.ffn_in.weight"
    assert not torch.equal(once[key], tuned[key])
    assert not torch.equal(once["conformer.norm.weight"], twice["conformer.norm.weight"])


@pytest.fixture(autouse=True)
def _in_the_folder(recipe, monkeypatch):
    monkeypatch.chdir(recipe.parent)


def test_a_run_is_resumed_only_when_asked_and_only_by_the_same_recipe(recipe):
    run_recipe(recipe)
    for changes, problem in [
        ([], "go on with it by --resume"),
        (["training.epochs=3"], "--resume"),
    ]:
        with pytest.raises(TrainingError, match=problem):
            run_recipe(recipe, changes)
    with pytest.raises(TrainingError, match=r"training\.batch_size, training.seed changed"):
        run_recipe(recipe, ["training.seed=1", "training.batch_size=3"], resume=True)
    before = weights("out")
    (recipe.parent / "out" / "training" / "recipe.json").rename("aside.json")
    with pytest.raises(TrainingError, match=r"recipe\.json: cannot be read"):
        run_recipe(recipe, resume=True)
    Path("aside.json").rename(recipe.parent / "out" / "training" / "recipe.json")
    steps = []
    watch = TrainingWatch(step=lambda p: steps.append(p.step))
    run_recipe(recipe, ["training.workers=1"], resume=True, watch=watch)
    assert not steps
    same(before, weights("out"))
    notes = []
    watch = TrainingWatch(note=notes.append, step=lambda p: steps.append(p.step))
    run_recipe(recipe, ["training.epochs=3"], resume=True, watch=watch)
    assert steps == [7, 8, 9]
    assert any("training.epochs changed" in note for note in notes)


HOLD = """
import os, sys, time
from pathlib import Path
from auricle.training.run import _alone
with _alone(Path(sys.argv[1])):
    if not os.fork():
        os.close(1)
        time.sleep(60)
    print("has it", flush=True)
    time.sleep(60)
"""


def test_two_runs_do_not_share_a_folder_and_a_killed_one_leaves_it(recipe):
    work = recipe.with_name("out") / "training"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(work)], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert other.stdout.readline() == b"has it\n"
        for resume in (False, True):
            with pytest.raises(TrainingError, match=rf"training: process {other.pid} on .* trains"):
                run_recipe(recipe, resume=resume)
        assert [path.name for path in work.iterdir()] == ["lock"]
        other.kill()  # and its worker lives on
        other.wait()
        with _alone(work):
            os.killpg(other.pid, 0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(other.pid, signal.SIGKILL)
        other.stdout.close()


def test_a_model_of_another_run_is_not_overwritten(recipe):
    out = recipe.with_name("out")
    (out / "training").mkdir(parents=True)
    (out / "config.json").write_text("{}")
    for resume in (False, True):
        with pytest.raises(TrainingError, match="holds a model of another run"):
            run_recipe(recipe, resume=resume)
    now = json.dumps(load_recipe(recipe).to_dict())
    (out / "training" / "recipe.json").write_text(now)
    with pytest.raises(TrainingError, match="holds a model of another run"):
        run_recipe(recipe, ["training.seed=1"])
    run_recipe(recipe, ["training.workers=1"])  # it may begin anew


def test_a_run_is_not_continued_with_other_clips(recipe):
    run_recipe(recipe, ["training.epochs=1"])
    manifest = recipe.with_name("clips.jsonl")
    manifest.write_text(manifest.read_text().replace("low tone", "deep tone"))
    with pytest.raises(TrainingError, match="not those the run was begun with"):
        run_recipe(recipe, ["training.epochs=1"], resume=True)


def test_starting_from_a_model_keeps_its_tokenizer_and_encoder(recipe):
    first = run_recipe(recipe, ["training.epochs=1"])
    AcceleratorState._reset_state(reset_partial_state=True)
    notes = []
    second = run_recipe(
        recipe,
        ["start=./out", "out=second", "training.epochs=1", "model.embedding.pooling=query"],
        watch=TrainingWatch(note=notes.append),
    )
    a, b = weights(first), weights(second)
    assert any("start untrained: embedding_head" in note for note in notes)
    assert all(torch.equal(a[key], b[key]) for key in a if key.startswith("encoder."))
    files = [folder / "tokenizer.json" for folder in (first, second)]
    assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(ModelError, match="shape"):
        run_recipe(recipe, ["start=./out", "out=third", "model.decoder.ffn_dim=32"])


def test_a_clip_deleted_mid_run_is_replaced_and_named(recipe):
    notes = []

    def delete(progress):
        if progress.step == 1:
            for i in range(8, 12):
                recipe.with_name(f"{i}.wav").unlink()

    watch = TrainingWatch(note=notes.append, step=delete)
    run_recipe(recipe, ["data.features=computed"], watch=watch)
    assert any("replaced" in note for note in notes)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_disk_that_is_gone_ends_the_run_in_one_line(recipe, workers):
    def unplug(progress):
        if progress.step == 4:
            for path in recipe.parent.glob("*.wav"):
                path.unlink()

    watch = TrainingWatch(step=unplug)
    changes = ["data.features=computed", f"training.workers={workers}", "training.epochs=9"]
    changes.append("data.validation=[]")
    with pytest.raises(DataError, match="is the disk still there") as caught:
        run_recipe(recipe, changes, watch=watch)
    assert "Traceback" not in str(caught.value)
    assert (recipe.parent / "out" / "training" / "checkpoint.pt").is_file()


def test_rows_that_cannot_be_used_are_counted(recipe):
    with recipe.with_name("clips.jsonl").open("a") as file:
        row = {"audio": "0.wav", "id": "x", "split": "train"}
        file.write(json.dumps({**row, "captions": [""]}) + "\n")
        file.write(json.dumps({**row, "captions": ["too short"]}) + "\n")
        file.write(json.dumps({**row, "captions": CAPTIONS, "audio": "gone.wav"}) + "\n")
    notes = []
    changes = ["training.epochs=1", "data.min_words=6"]
    run_recipe(recipe, changes, watch=TrainingWatch(note=notes.append))
    (told,) = [note for note in notes if note.startswith("training: 3 rows are skipped")]
    assert "audio missing: 1" in told


def test_what_is_missing_is_said_before_anything_is_computed(recipe):
    for changes, error, problem in [
        (["data.train=gone.jsonl"], DataError, "gone.jsonl"),
        (["data.train_split=dev"], DataError, "dev"),
        (["encoder_weights="], ModelError, "BEATs needs weights"),
        (["model.embedding.dim=100"], ModelError, "set model.embedding.dim=384"),
        (["tokenizer.vocab_size=0", "tokenizer.name=./gone"], ModelError, "gone"),
        (["start=./gone"], ModelError, "gone"),
        (["text_embedder.name=./gone"], ModelError, "gone"),
    ]:
        with pytest.raises(error, match=problem):
            run_recipe(recipe, changes)
    assert not (recipe.parent / "out" / "model.safetensors").exists()


def test_a_dry_run_measures_and_writes_nothing(recipe):
    before = sorted(recipe.parent.rglob("*"))
    found = dict(dry_run(recipe, ["training.accumulate=2"]))
    assert found["training"].startswith("12 clips")
    assert "4 clips x 2 micro-batches x 1 processes; 1 steps an epoch" in found["batches"]
    assert "2 steps" in found["time"]
    assert {"model", "memory", "disk", "features", "validation", "losses"} <= found.keys()
    assert sorted(recipe.parent.rglob("*")) == before


def test_what_is_precomputed_is_not_computed_again(recipe):
    done = []
    watch = TrainingWatch(progress=lambda *told: done.append(told))
    counts = precompute_recipe(recipe, watch=watch)
    assert ("training features", 12, 12) in done
    assert {name: count.done for name, count in counts.items()} == {
        "training captions": 4,
        "validation captions": 0,
        "training features": 12,
        "validation features": 4,
    }
    again = precompute_recipe(recipe)
    assert [count.reused for count in again.values()] == [12, 4, 12, 4]
    assert not any(count.done for count in again.values())
    shards = {path: path.stat().st_mtime_ns for path in recipe.parent.glob("cache/*/*/*.bin")}
    assert len(shards) == 2
    run_recipe(recipe)
    assert {path: path.stat().st_mtime_ns for path in shards} == shards


def test_features_of_a_batch_are_taken(recipe, tmp_path):
    precompute_recipe(recipe)
    (settings,) = (tmp_path / "cache" / "features").glob("*/settings.json")
    values = json.loads(settings.read_text())
    store = ArrayStore(tmp_path / "cache" / "features", values, values["width"])
    rows = []
    for clip in read_manifest(tmp_path / "clips.jsonl"):
        key = ContentKeys(tmp_path / "cache").clip_key(clip)
        array = store.get(key)
        frames, dim = array.shape
        rows.append({"key": key, "frames": frames, "dim": dim, "data": array.tobytes()})
    batch = tmp_path / "batch"
    (batch / ".job").mkdir(parents=True)
    (batch / JOB).write_text('{"task": "features"}')
    (batch / BATCH_SETTINGS).write_text(json.dumps(values))
    columns = {"key": str, "frames": int, "dim": int, "data": bytes}
    write_rows(batch / "shard-00000.parquet", [*rows, {}], columns)
    notes = []
    for encoder, reused in (("random", 12), ("other", 0)):
        if encoder == "other":
            (batch / BATCH_SETTINGS).write_text(json.dumps(values | {"weights": "other"}))
        changes = [f"data.cache={tmp_path / encoder}"]
        watch = TrainingWatch(note=notes.append)
        counts = precompute_recipe(recipe, changes, batch, watch)
        assert counts["training features"].reused == reused
    assert [note for note in notes if "of another encoder than the recipe's" in note] == [
        f"{batch}: of another encoder than the recipe's, so of no use to it"
    ]


@pytest.mark.slow
def test_kill_minus_nine_and_resume_end_bit_identical(recipe):
    """Killed at three arbitrary moments, by the signal that cannot be caught."""
    command = [sys.executable, "-m", "auricle", "train", str(recipe)]
    longer = ["training.epochs=40", "validation.select=last", "validation.captions_every=10"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *longer, "out=whole"], check=True, env=environment)
    for wait_s in (0.3, 1.1, 2.0):
        process = subprocess.Popen([*command, *longer, "out=killed", "--resume"], env=environment)
        checkpoint = recipe.with_name("killed") / "training" / "checkpoint.pt"
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        while process.poll() is None and (
            not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before
        ):
            time.sleep(0.02)
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    subprocess.run([*command, *longer, "out=killed", "--resume"], check=True, env=environment)
    same(weights("whole"), weights("killed"))
