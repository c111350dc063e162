"""The paper's two stages, from recordings to a caption, by the one documented command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from auricle.data.manifest import read_manifest
from auricle.training.recipe import load_recipe
from tests.helpers.paths import RECIPES, SCRIPTS

PAPER = RECIPES / "paper"


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_the_debug_size_changes_sizes_and_not_the_method(stage, monkeypatch):
    whole = load_recipe(PAPER / "pretrain.toml")
    changes = ['start=""'] if stage == "finetune" else []
    small = load_recipe(PAPER / f"{stage}.toml", [str(PAPER / "debug.toml"), *changes])
    assert small.augment == whole.augment
    assert small.data.features == "computed"
    for section, kept in {
        "training": ("schedule", "temperature", "info_nce_weight", "label_smoothing", "beta2"),
        "model": ("downsample", "max_duration_s"),
        "decoding": ("method", "top_p", "rerank"),
    }.items():
        for name in kept:
            assert getattr(getattr(small, section), name) == getattr(getattr(whole, section), name)
    assert small.model.encoder.dim == 48


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("sh"), reason="the rehearsal is a shell script")
def test_rehearsal_ends_in_a_caption(tmp_path):
    tools = Path(sys.executable).parent
    settings = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "REHEARSAL": str(tmp_path / "with space"),
    }
    command = ["sh", str(SCRIPTS / "paper" / "rehearsal.sh"), "", "training.epochs=10"]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path, caption = done.stdout.splitlines()[-1].split("\t")
    assert Path(path).name == "birds-singing.ogg"
    assert len(caption.split()) > 1
    work = tmp_path / "with space"
    assert (work / "finetune" / "model.safetensors").is_file()
    assert "started from" in (work / "finetune" / "README.md").read_text().lower()
    mixups = list(read_manifest(work / "mixups.jsonl"))
    assert mixups
    assert all(clip.mix for clip in mixups)
