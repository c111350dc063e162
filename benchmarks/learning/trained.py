"""Recipes as plain values, trained on the spot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from auricle.decoding.options import METHOD_DEFAULTS, DecodeOptions
from auricle.decoding.search import decode
from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.schema import build
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.examples import Examples
from auricle.training.job import Job
from auricle.training.loop import new_accelerator, train
from auricle.training.monitor import TrainingWatch
from auricle.training.paired_batches import ValidationBatch, iter_validation
from auricle.training.paired_job import inputs_of, paired_job
from auricle.training.recipe import Recipe

Values = dict[str, Any]

TOLD = TrainingWatch(note=print)
CACHE = Path(__file__).parents[2] / "runs" / "cache"  # of features, for the next run

# A small model on YAMNet's features, which are a thousandth of BEATs' work.
SMALL: Values = {
    "name": "benchmark",
    "out": "",
    "tokenizer": {"vocab_size": 600},
    "text_embedder": {"name": "all-MiniLM-L6-v2", "prompt": ""},
    "data": {"cache": str(CACHE)},
    "model": {
        "encoder": {"type": "yamnet", "scale": "log-odds"},
        "downsample": {"rate": 2, "kernel": 3},
        "conformer": {"dim": 96, "heads": 4, "ffn_dim": 192, "kernel": 7},
        "embedding": {"hidden_dim": 256, "dim": 384},
        "decoder": {"dim": 96, "layers": 2, "heads": 4, "ffn_dim": 192, "max_positions": 40},
    },
    "training": {
        "batch_size": 64,
        "learning_rate": 2e-3,
        "warmup_steps": 30,
        "temperature": 0.1,
        "workers": 0,
    },
}


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> Values:
    """``values`` with the sections of ``changes`` laid over them."""
    merged = dict(values)
    for key, value in changes.items():
        inner = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(inner, Mapping)
        merged[key] = changed(inner, value) if both else value
    return merged


def trained(values: Values, work: Path) -> Job:
    """The job of a recipe on manifests, its model trained and in eval mode."""
    recipe = build(Recipe, values, "benchmark")
    torch.set_flush_denormal(True)
    accelerator = new_accelerator(recipe.training)
    job = paired_job(recipe, accelerator, TOLD)
    train(
        job.model,
        job.data,
        recipe.training,
        work,
        accelerator=accelerator,
        augment=recipe.augment,
        validation=recipe.validation,
    )
    return job


@torch.no_grad()
def listened(job: Job, examples: Examples) -> Iterator[tuple[ValidationBatch, AudioMemory]]:
    """Every example's memory, in batches."""
    assert job.recipe.data is not None
    inputs, _ = inputs_of(job.recipe.data, job.model, examples, TOLD)
    for batch in iter_validation(examples, inputs, 64):
        yield batch, job.model.encode_features(batch.audio, batch.lengths)


def said(model: AudioCaptioner, memory: AudioMemory, tokenizer: CaptionTokenizer) -> list[str]:
    """The greedy caption of each clip."""
    cross = model.decoder.read_memory(memory.memory, memory.lengths)
    options = DecodeOptions(method="greedy", **METHOD_DEFAULTS["greedy"])
    return [tokenizer.decode(clip[0].ids) for clip in decode(model.decoder, cross, options)]
