"""Two processes train as one process with the doubled batch does, and go on after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from unittest import mock

import pytest
import soundfile
import torch
from safetensors.torch import load_file
from torch import distributed
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.model.teacher_forcing import IGNORE_ID
from auricle.training import loop
from auricle.training.batch import Batch
from auricle.training.config import SpecAugmentConfig, TrainingConfig
from auricle.training.loop import train
from auricle.training.monitor import TrainingWatch

pytestmark = pytest.mark.usefixtures("fresh_accelerate")

WORLD = 2
ROWS = 3  # of a micro-batch of one process
TRAINING = TrainingConfig(
    steps=4, batch_size=ROWS, learning_rate=1e-3, warmup_steps=1, checkpoint_every=2, workers=0
)
RUNS = {
    "AdamW": ("mean", TRAINING),
    "InfoNCE over all rows": ("mean", TRAINING),
    "attention pooling, two micro-batches": ("query", replace(TRAINING, accumulate=2)),
    "no InfoNCE": ("mean", replace(TRAINING, info_nce_weight=0.0)),
    "a tuned encoder": ("self-attention", replace(TRAINING, tune_encoder=True)),
}


class KilledError(Exception):
    pass


class Rows:
    """Clips and captions of uneven lengths; a process pads no further than its own need."""

    steps_per_epoch = 2

    def __init__(self, config, killed_at=0):
        self.accumulate, self.waveforms = config.accumulate, config.tune_encoder
        self.killed_at = killed_at

    def at(self, step, rank=0, world=1):
        if step == self.killed_at:
            raise KilledError
        share = WORLD // world  # processes that this one stands for
        return [
            self.batch(range(first, first + share * ROWS), step)
            for first in (ROWS * (WORLD * micro + rank * share) for micro in range(self.accumulate))
        ]

    def batch(self, rows, step):
        audio, labels, texts = [], [], []
        for row in rows:
            generator = torch.Generator().manual_seed(100 * step + row)
            size = 6 + 5 * row
            shape = (2800 + 900 * size,) if self.waveforms else (size, 48)
            audio.append(torch.randn(shape, generator=generator) * 0.3)
            labels.append(torch.randint(3, 40, (2 + row % 5,), generator=generator))
            texts.append(F.normalize(torch.randn(16, generator=generator), dim=0))
        return Batch(
            pad_sequence(audio, batch_first=True),
            torch.tensor([len(a) for a in audio]),
            pad_sequence(labels, batch_first=True, padding_value=IGNORE_ID),
            torch.stack(texts),
        )


def new_model(pooling="mean", dropout=0.0):
    base = debug_config(vocab_size=40, embedding_dim=16)
    torch.manual_seed(0)
    return AudioCaptioner(
        replace(
            base,
            embedding=replace(base.embedding, pooling=pooling),
            conformer=replace(base.conformer, dropout=dropout),
            decoder=replace(
                base.decoder, dropout=dropout, attention_dropout=dropout, activation_dropout=0.0
            ),
        )
    )


def sgd(model, config):
    """Steps as long as the gradients, so that the weights show those; AdamW makes a whole step of
    the rounding of a gradient near zero."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(trained, lr=config.learning_rate)


def run(name, folder):
    pooling, config = RUNS[name]
    optimiser = loop.new_optimiser
    if name != "AdamW":
        config, optimiser = replace(config, learning_rate=0.1, clip_norm=5.0), sgd
    model, losses = new_model(pooling), []
    with mock.patch.object(loop, "new_optimiser", optimiser):
        watch = TrainingWatch(step=lambda report: losses.append(report.losses))
        train(model, Rows(config), config, folder, watch=watch)
    return {"weights": model.state_dict(), "losses": losses}


def killed_and_resumed(folder):
    """The weights of four steps, with dropout and SpecAugment, at a stretch and in two pieces."""
    found = []
    for name, kills in (("whole", (0,)), ("pieces", (4, 0))):
        for killed_at in kills:
            model, data = new_model(dropout=0.1), Rows(TRAINING, killed_at)
            augment = SpecAugmentConfig(place="memory")
            try:
                state = train(model, data, TRAINING, folder / name, augment=augment)
            except KilledError:
                continue
        found.append({"weights": model.state_dict(), "step": state.step})
    return found


def process(rank, folder):
    torch.set_num_threads(1)
    folder = Path(folder)
    os.environ |= {
        "ACCELERATE_USE_CPU": "true",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(WORLD),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",  # not used: the processes meet in a file
    }
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=WORLD
    )
    found = {name: run(name, folder / name) for name in RUNS}
    found["killed"] = killed_and_resumed(folder)
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(process, (str(folder),), WORLD)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_equal_one_with_the_doubled_batch(found, name, tmp_path):
    alone = run(name, tmp_path)
    # AdamW makes much of little: a twentieth of a step, where a gradient is nearly nothing.
    tolerance = TRAINING.learning_rate / 20 if name == "AdamW" else 1e-5
    start, moved = new_model(RUNS[name][0]).state_dict(), set()
    for key, expected in alone["weights"].items():
        if name == "AdamW" and key.endswith("key.bias"):
            continue  # softmax takes it away: its gradient is nothing but rounding
        if (start[key] - expected).abs().max() > 1e-4:
            moved.add(key)
        for part in found:
            torch.testing.assert_close(
                part[name]["weights"][key],
                expected,
                atol=tolerance,
                rtol=1e-5,
                msg=f"{key}: {{}}".format,
            )
    for block in ("downsample", "conformer", "embedding_head.norm.running_var", "decoder"):
        assert any(key.startswith(block) for key in moved), block
    tuned = any(key.startswith("encoder") for key in moved)
    assert tuned == RUNS[name][1].tune_encoder


@pytest.mark.parametrize("name", RUNS)
def test_the_main_process_reports_the_losses_of_all(found, name, tmp_path):
    alone = run(name, tmp_path)
    assert not found[1][name]["losses"]
    assert len(found[0][name]["losses"]) == TRAINING.steps
    for ours, expected in zip(found[0][name]["losses"], alone["losses"], strict=True):
        assert ours == pytest.approx(expected, abs=1e-5)


def test_after_a_kill_two_processes_end_bit_identical(found):
    for part in found:
        whole, pieces = part["killed"]
        assert whole["step"] == pieces["step"] == TRAINING.steps
        for key, expected in whole["weights"].items():
            assert torch.equal(pieces["weights"][key], expected), key


def test_processes_hold_the_same_weights(found):
    first, second = (part["killed"][0]["weights"] for part in found)
    for key, expected in first.items():
        assert torch.equal(second[key], expected), key


RECIPE = """
name = "toy"
encoder_weights = "random"
[data]
train = "clips.jsonl"
[tokenizer]
vocab_size = 290
[text_embedder]
name = "all-MiniLM-L6-v2"
prompt = ""
[training]
epochs = 3
learning_rate = 1e-3
warmup_steps = 2
workers = 1
"""


@pytest.mark.slow
def test_a_launched_recipe_equals_one_process_with_the_doubled_batch(tmp_path):
    """By the launcher of torch, for accelerate's starts several processes on GPUs alone."""
    things = "dog cat engine violin rain".split()
    with (tmp_path / "clips.jsonl").open("w") as file:
        for i in range(13):
            noise = torch.randn(8000 + 1600 * i, generator=torch.Generator().manual_seed(i)) * 0.1
            soundfile.write(tmp_path / f"{i}.wav", noise.numpy(), 16_000)
            words = " and ".join(f"a {thing} is heard" for thing in things[: 2 + i % 4])
            row = {"audio": f"{i}.wav", "captions": [words], "id": str(i), "split": "train"}
            file.write(json.dumps(row) + "\n")
    config = new_model().config
    lines = [RECIPE]
    for name in ("encoder", "conformer", "embedding", "decoder"):
        lines.append(f"[model.{name}]")
        values = asdict(getattr(config, name)).items()
        lines += [f"{k} = {json.dumps(v)}" for k, v in values if k != "vocab_size"]
    (tmp_path / "toy.toml").write_text("\n".join(lines))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(WORLD)]
    train_toy = ["-m", "auricle", "train", "toy.toml", "model.embedding.dim=384"]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    weights = []
    for name, start, batch_size in (("two", launcher, 2), ("one", [], 4)):
        command = [*start, *train_toy, f"out={name}", f"training.batch_size={batch_size}"]
        subprocess.run([sys.executable, *command], cwd=tmp_path, env=environment, check=True)
        weights.append(load_file(tmp_path / name / "model.safetensors"))
        assert torch.load(tmp_path / name / "training" / "checkpoint.pt")["state"]["step"] == 9
    two, one = weights
    assert two.keys() == one.keys()
    for key, expected in one.items():
        if not key.endswith("key.bias"):
            torch.testing.assert_close(two[key], expected, atol=1e-4, rtol=1e-4)
