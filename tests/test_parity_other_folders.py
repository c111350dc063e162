"""Parity on folders unlike the shipped one: longer sequences, a spectrogram of another library."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from auricle.audio.fbank import DATASET_STD
from auricle.decoding.options import DecodeOptions
from auricle.decoding.search import decode
from auricle.hub.published import load_published
from auricle.parity import FBANK_TOLERANCE, TOLERANCE, Stage, compare

GOLDEN = Path(__file__).parent / "golden" / "published-small"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in GOLDEN.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def stage(folder: Path, name: str) -> Stage:
    return next(stage for stage in compare(folder) if stage.name == name)


def change(folder: Path, **arrays: np.ndarray) -> None:
    with np.load(folder / "golden.npz") as golden:
        stored = {key: golden[key] for key in golden.files}
    np.savez(folder / "golden.npz", **stored | arrays)


@pytest.mark.parametrize("limit", [30, 100])
def test_greedy_sequences_are_compared_to_the_length_they_were_stored_with(
    folder: Path, limit: int
) -> None:
    weights = load_file(folder / "state_dict.safetensors")
    weights["final_logits_bias"][..., 2] = -30.0  # the end never comes by itself
    save_file(weights, folder / "state_dict.safetensors")
    model = load_published(folder, published_behaviour=True)
    with np.load(folder / "golden.npz") as golden:
        memory = model.encode([torch.from_numpy(golden["wav0"])])
    cross = model.decoder.read_memory(memory.memory, memory.lengths)
    (found,) = decode(model.decoder, cross, DecodeOptions("greedy", max_length=limit))[0]
    tokens = json.loads((folder / "tokens.json").read_text())
    tokens["single0_greedy"] = [[2, *found.ids, 2]]
    assert len(tokens["single0_greedy"][0]) == limit
    (folder / "tokens.json").write_text(json.dumps(tokens))
    assert stage(folder, "single0: greedy ids").passed


def test_gradients_start_from_the_stored_spectrogram(folder: Path) -> None:
    with np.load(folder / "golden.npz") as golden:
        stored = golden["batch/fbank"]
    rng = np.random.default_rng(0)
    off = rng.uniform(-1, 1, stored.shape) * 0.9 * FBANK_TOLERANCE / (2 * DATASET_STD)
    change(folder, **{"batch/fbank": (stored + off).astype(np.float32)})
    found = {stage.name: stage for stage in compare(folder)}
    name = "gradient of downsample_conv.weight"
    assert not found[name].passed  # it starts from the spectrogram that was changed
    assert found[f"{name}, from the waveform"].error < 1e-4


def test_tolerances_from_the_stored_spectrogram_are_strict() -> None:
    found = [stage for stage in compare(GOLDEN) if "gradient" in stage.name]
    strict = [stage for stage in found if "waveform" not in stage.name]
    assert strict
    assert all(stage.tolerance == TOLERANCE and stage.passed for stage in strict)
    assert len(found) == 2 * len(strict)


def test_logits_that_were_overwritten_are_left_out(folder: Path) -> None:
    with np.load(folder / "golden.npz") as golden:
        logits, probabilities = golden["warp/logits"], golden["warp/probs"].copy()
    assert np.argwhere(~np.isfinite(logits)).tolist() == [[0, 2], [0, 12]]
    probabilities[0, [2, 12]] = 0.25  # whatever it was
    change(folder, **{"warp/probs": probabilities})
    assert stage(folder, "sampling: warp/probs").passed
    probabilities[1, 2] = 0.25
    change(folder, **{"warp/probs": probabilities})
    assert not stage(folder, "sampling: warp/probs").passed
