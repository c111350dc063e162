"""InfoNCE measured: audio-to-text R@1 over real sounds, with it and without.

    python benchmarks/learning/retrieval.py [--seeds 3] [--epochs 30]

ESC-50 clips, a third of them held out by Freesound recording; each has to find the caption of its
class among those of all classes: in words that captions of training clips had, and in others that
no training clip had. The runs differ in the weight of InfoNCE alone. Without it nothing trains the
audio embedding, so its cosine is chance; but a model without it can still rank captions by their
likelihood, or by how near the text embedding of its own caption is. Those are the fair comparison.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import esc
import torch
from torch import Tensor
from torch.nn import functional as F
from trained import SMALL, Values, changed, listened, said, trained

from auricle.data.manifest import write_manifest
from auricle.decoding.likelihood import log_likelihoods
from auricle.text.embedder import TextEmbedder
from auricle.training.examples import Examples
from auricle.training.job import Job

LEARNED, NEW = 0, 3  # which of a class's captions a clip has to find


def write_clips(manifest: Path) -> None:
    """Training clips with the captions that are learned; validation clips with their class."""
    clips = [
        replace(clip, captions=clip.captions[:NEW] if clip.split == "train" else clip.captions[:1])
        for clip in esc.esc_clips()
    ]
    write_manifest(manifest, clips)


def recipe(manifest: Path, epochs: int, weight: float, seed: int) -> Values:
    return changed(
        SMALL,
        {
            "data": {"train": str(manifest)},
            "training": {"epochs": epochs, "info_nce_weight": weight, "seed": seed},
        },
    )


@torch.no_grad()
def measured(job: Job, manifest: Path, embedder: TextEmbedder) -> dict[tuple[str, int], float]:
    """R@1 by way of ranking and by the captions' words."""
    heard: dict[tuple[str, int], list[Tensor]] = defaultdict(list)
    examples = Examples.read([manifest], "val", job.model.config.max_duration_s)
    captions = esc.class_captions()
    classes = sorted({esc.label_of(clip) for clip in examples})
    truth = []
    for batch, memory in listened(job, examples):
        truth += [classes.index(esc.label_of(examples.clip(index))) for index in batch.indices]
        cross = job.model.decoder.read_memory(memory.memory, memory.lengths)
        own = embedder.embed(said(job.model, memory, job.tokenizer))
        for words in (LEARNED, NEW):
            texts = [captions[label][words] for label in classes]
            vectors = embedder.embed(texts)
            told = log_likelihoods(job.model.decoder, cross, [texts] * len(batch), job.tokenizer)
            heard["audio embedding", words].append(F.normalize(memory.embedding) @ vectors.T)
            heard["own caption's embedding", words].append(own @ vectors.T)
            heard["likelihood", words].append(torch.tensor(told)[..., 0])
    found = {key: torch.cat(parts) for key, parts in heard.items()}
    for words in (LEARNED, NEW):  # a caption's likelihood where it is not heard does not count
        told = found["likelihood", words]
        found["likelihood, less its mean", words] = told - told.mean(dim=0)
    right = torch.tensor(truth)
    return {key: (s.argmax(dim=1) == right).float().mean().item() for key, s in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    if not esc.DATA.is_dir():
        sys.exit(esc.MISSING)
    values: dict[tuple[float, str, int], list[float]] = defaultdict(list)
    embedder = TextEmbedder("all-MiniLM-L6-v2")
    with tempfile.TemporaryDirectory() as work:
        manifest = Path(work) / "esc.jsonl"
        write_clips(manifest)
        for seed in range(options.seeds):
            for weight in (1.0, 0.0):
                job = trained(
                    recipe(manifest, options.epochs, weight, seed), Path(work) / f"{weight}-{seed}"
                )
                for (way, words), value in measured(job, manifest, embedder).items():
                    values[weight, way, words].append(value)
    print(f"audio-to-text R@1, %: mean and deviation of {options.seeds} seeds")
    print(f"{'InfoNCE':8} {'captions ranked by':26} {'learned words':>15} {'new words':>15}")
    for weight, way in dict.fromkeys((weight, way) for weight, way, _ in values):
        cells = [
            f"{100 * mean(v):5.1f} ± {100 * stdev(v) if len(v) > 1 else 0:3.1f}"
            for v in (values[weight, way, words] for words in (LEARNED, NEW))
        ]
        print(f"{'on' if weight else 'off':8} {way:26} {cells[0]:>15} {cells[1]:>15}")


if __name__ == "__main__":
    main()
