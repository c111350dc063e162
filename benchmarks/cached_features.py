"""Training speed with cached features against features computed in every step, in clips per second,
and the share of the time that training waits for data.

    python benchmarks/cached_features.py [--models debug tiny paper] [--steps N] [--rounds N]

Recordings are noise in 16-bit WAV at 44.1 kHz, with the length of AudioCaps clips. Weights are
random, which costs the same as trained ones; "paper" is the full-size published model. The training
loop reports speed and waiting after its workers have started: the median of the rounds, and each.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.data.keys import ContentKeys
from auricle.hub.folder import load_bundle
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import CaptionerConfig, debug_config
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batches import PairedBatches
from auricle.training.config import TrainingConfig
from auricle.training.examples import Examples
from auricle.training.initial import with_tokens
from auricle.training.inputs import Inputs, StoredFeatures, Waveforms
from auricle.training.loop import new_accelerator, train
from auricle.training.monitor import StepReport
from auricle.training.precompute import feature_store, precompute_features, weights_digest

RATE_HZ = 44_100
START = 5  # steps that are not counted
WORDS = "dog barks rain falls on roof car passes by people talk in distance".split()
MODELS = ("debug", "tiny", "paper")


def architecture(name: str) -> CaptionerConfig:
    if name == "debug":
        return debug_config()
    return load_bundle("tiny").model.config if name == "tiny" else CaptionerConfig()


def write_data(folder: Path, recordings: int, duration_s: float, rows: int) -> Path:
    """A manifest of ``rows`` captioned clips; several share a recording."""
    rng = np.random.default_rng(0)
    for number in range(recordings):
        noise = 0.1 * rng.standard_normal(round(duration_s * RATE_HZ))
        soundfile.write(folder / f"{number}.wav", noise, RATE_HZ, "PCM_16")
    path = folder / "manifest.jsonl"
    with path.open("w") as file:
        for number in range(rows):
            clip = {
                "audio": f"{number % recordings}.wav",
                "captions": [" ".join(rng.choice(WORDS, 11))],
                "id": str(number),
                "split": "train",
            }
            file.write(json.dumps(clip) + "\n")
    return path


class Embeddings:
    """A stand-in for stored caption embeddings, which take 0.02 ms each to read."""

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, captions: Sequence[str]) -> Tensor:
        return F.normalize(torch.ones(len(captions), self.width), dim=-1)


def measure(
    model: AudioCaptioner,
    examples: Examples,
    inputs: Inputs,
    tokenizer: CaptionTokenizer,
    training: TrainingConfig,
) -> tuple[float, float]:
    """Clips per second and the share of waiting, from the loop's own reports."""
    config, reports = model.config, list[StepReport]()
    embed = Embeddings(config.embedding.dim)
    tokens = config.decoder.max_positions
    data = PairedBatches(examples, inputs, tokenizer, embed, training, tokens)
    assert training.steps is not None
    assert data.steps_per_epoch >= training.steps, "an epoch's end would be measured as well"
    with tempfile.TemporaryDirectory() as folder:
        accelerator = new_accelerator(training)
        train(model, data, training, Path(folder), accelerator=accelerator, progress=reports.append)
    # Up to step 50 the loop reports plain means since its start: take sums, minus the first steps.
    clips = training.batch_size * training.accumulate
    (taken, waited), (taken_before, waited_before) = (
        (seconds := last.step * clips / last.clips_per_s, seconds * last.data_wait)
        for last in (reports[-1], reports[START - 1])
    )
    taken -= taken_before
    return (training.steps - START) * clips / taken, (waited - waited_before) / taken


def compare(
    name: str, examples: Examples, folder: Path, training: TrainingConfig, rounds: int
) -> None:
    tokenizer = CaptionTokenizer.train(examples.captions(), 300)
    config = with_tokens(architecture(name), tokenizer)
    model = AudioCaptioner(config).to(new_accelerator(training).device)
    store = feature_store(config, weights_digest(model.encoder), folder / "cache")
    keys = ContentKeys(folder / "cache")
    start = time.perf_counter()
    counts = precompute_features(
        examples, model.encoder, store, keys, max_duration_s=config.max_duration_s
    )
    seconds = time.perf_counter() - start
    print(f"{name}: precomputed {counts.done / seconds:.1f} recordings/s, on {model.device}")
    kinds: dict[str, Inputs] = {
        "computed": Waveforms(examples, model.encoder.sample_rate_hz, config.max_duration_s),
        "cached": StoredFeatures(examples, store, keys),
    }
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):  # in turns, so that other load affects both
        for kind, inputs in kinds.items():
            found[kind].append(measure(model, examples, inputs, tokenizer, training))
    speeds = {kind: median(speed for speed, _ in each) for kind, each in found.items()}
    for kind, each in found.items():
        waits = " ".join(f"{wait:.1%}" for _, wait in each)
        print(f"  {kind:<9} {speeds[kind]:8.1f} clips/s  waiting {waits}")
    print(f"  cached is {speeds['cached'] / speeds['computed']:.1f} times as fast", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["debug", "tiny"])
    parser.add_argument("--recordings", type=int, default=32)
    parser.add_argument("--duration-s", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=30, help="6 to 50")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    training = TrainingConfig(
        steps=options.steps,
        batch_size=options.batch,
        workers=options.workers,
        warmup_steps=0,
        checkpoint_every=options.steps,
        bf16=options.bf16,
    )
    torch.set_flush_denormal(True)  # as in a training run
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = (options.steps + 1) * options.batch
        manifest = write_data(folder, options.recordings, options.duration_s, rows)
        examples = Examples.read([manifest], "train", options.duration_s)
        print(
            f"batches of {options.batch} clips of {options.duration_s:g} s, {options.steps} steps"
        )
        for model in options.models:
            compare(model, examples, folder, training, options.rounds)


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # or it warns of the fork
    main()
