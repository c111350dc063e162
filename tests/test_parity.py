"""Every stage of our model equals the published system's stored tensors."""

import json

import pytest

from auricle.parity import compare
from tests.helpers.paths import GOLDEN


@pytest.fixture(scope="module")
def stages():
    return list(compare(GOLDEN))


def test_all_stages_are_within_tolerance(stages):
    off = [f"{stage.name}: {stage.error:.2e}" for stage in stages if not stage.passed]
    assert not off


@pytest.mark.parametrize(
    "part",
    [
        *"fbank beats_h2 conv_out conformer_out audio_embed logits nll_norm loss_lsm".split(),
        *("greedy ids", "beam-4 ids", "beam-4 scores"),
    ],
)
def test_each_part_is_compared_in_the_batch_and_alone(stages, part):
    assert sum(part in stage.name for stage in stages) >= 4


@pytest.mark.parametrize("part", ["InfoNCE", "total loss", "gradient", "BatchNorm", "sampling"])
def test_losses_and_training_are_compared(stages, part):
    assert any(part in stage.name for stage in stages)


def test_a_changed_weight_is_found(tmp_path):
    from safetensors.torch import load_file, save_file

    for file in GOLDEN.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(GOLDEN / "state_dict.safetensors")
    weights["downsample_conv.bias"] = weights["downsample_conv.bias"] + 0.05
    save_file(weights, tmp_path / "state_dict.safetensors")
    off = [stage.name for stage in compare(tmp_path) if not stage.passed]
    assert "single0: conv_out" in off
    assert "single0: beats_h2" not in off


def test_golden_files_are_complete():
    shapes = json.loads((GOLDEN.parent / "published-state-dict.json").read_text())
    assert len(shapes) == 503
