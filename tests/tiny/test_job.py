"""The embedded model's run, on batches drawn at random: its folder, its continuation."""

import json
from dataclasses import asdict

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from typer.testing import CliRunner

from auricle.cli import app
from auricle.model.config import CaptionerConfig, YamnetConfig, debug_config
from auricle.text.tokenizer import CaptionTokenizer
from auricle.tiny.sounds import Sound
from auricle.training.batch import Batch
from auricle.training.initial import with_tokens
from auricle.watch import Watch


class Drawn:
    """In the place of `PseudoBatches`: nothing is prepared."""

    steps_per_epoch = 4

    def __init__(self, unpaired, pseudo, training, model: CaptionerConfig, work, watch: Watch, _):
        self.sounds = [Sound("rain", "pack", ("Rain",), b"", "A. Bird", "CC BY 3.0", "https://s")]
        self.tokenizer = CaptionTokenizer.train(["rain falls"], 260)
        self.model_config = with_tokens(model, self.tokenizer)
        watch.note("hearing 1 sounds, 4 times each")

    def at(self, step, rank=0, world=1):
        generator = torch.Generator().manual_seed(step)
        audio = torch.randn(4, 9, 521, generator=generator)
        labels = torch.randint(3, 260, (4, 6), generator=generator)
        text = torch.randn(4, 16, generator=generator)
        return [Batch(audio, torch.tensor([9, 9, 7, 5]), labels, text)]


@pytest.fixture
def train(tmp_path, monkeypatch, fresh_accelerate):
    """``train(*words)``: the command's output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("auricle.tiny.job.PseudoBatches", Drawn)
    model = debug_config(embedding_dim=16)
    blocks = {name: asdict(getattr(model, name)) for name in ("conformer", "embedding", "decoder")}
    blocks |= {"encoder": asdict(YamnetConfig()), "downsample": {"rate": 2, "kernel": 3}}
    recipe = tmp_path / "small.toml"
    recipe.write_text(
        """
        name = "small"
        out = "out"
        unpaired = {shared = "", fetched = "", labels = "", class_captions = ""}
        training = {steps = 6, batch_size = 4, warmup_steps = 1, workers = 0}
        """
        + "".join(
            f"[model.{block}]\n"
            + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
            for block, values in blocks.items()
        )
    )

    def run(*words: str) -> str:
        AcceleratorState._reset_state(reset_partial_state=True)
        done = CliRunner().invoke(app, ["train", str(recipe), *words])
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_a_run_ends_in_a_folder_with_card_and_credits_and_goes_on(train, tmp_path):
    assert "hearing 1 sounds" in train()
    out = tmp_path / "out"
    assert "6 steps of 4 captions" in (out / "README.md").read_text()
    assert "* pack: rain, by A. Bird, CC BY 3.0" in (out / "CREDITS.md").read_text()
    assert not (out / "training" / "clips.txt").exists()
    train("out=killed", "training.steps=4", "training.schedule=constant")
    train("out=killed", "training.schedule=constant", "--resume")
    train("out=whole", "training.schedule=constant")
    killed, whole = (load_file(tmp_path / n / "model.safetensors") for n in ("killed", "whole"))
    assert all(torch.equal(killed[key], whole[key]) for key in whole)


def test_a_dry_run_measures_its_batches(train, tmp_path):
    said = train("--dry-run")
    for subject in ("model", "batches", "losses", "memory", "disk", "time"):
        assert f"\n{subject}" in said
    assert "4 steps an epoch" in said
    assert not (tmp_path / "out" / "model.safetensors").exists()
