"""Is order heard? "A followed by B" against "B followed by A", by the pooling of the recording.

    python benchmarks/learning/order.py [--seeds 3] [--epochs 20] [--temperature 0.03] [--layers 2]

Recordings are 2.5 s each of two ESC-50 sounds at one level, in both orders. Held out are pairs of
classes, made of recordings that no training clip holds. Their captions in both orders are given to
choose from: by the cosine of their text embeddings with the recording's, and by their likelihood,
which the pooling bears on in training alone. Chance is a half.

Text embeddings barely know order: reversed captions have a cosine of 0.98. At temperature 0.1 that
is a fifth of a nat to be won, at the published 0.5 next to nothing; hence the low temperature. With
--layers 0 nothing but the pooling (and the ends of downsampling's kernels) can tell time.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev

import esc
import numpy as np
import soundfile
import torch
from torch.nn import functional as F
from trained import SMALL, Values, changed, listened, trained

from auricle.audio.load import load_audio
from auricle.data.clip import Clip
from auricle.data.manifest import write_manifest
from auricle.decoding.likelihood import log_likelihoods
from auricle.text.embedder import TextEmbedder
from auricle.training.examples import Examples
from auricle.training.job import Job

POOLINGS = ("mean", "query", "self-attention")
CLASSES = 10  # those with the most recordings
HELD_OUT = 15  # pairs of classes, of 45
CLIPS = {"train": 7, "val": 6}  # of each pair in each order
TEMPLATES = ("{} followed by {}", "{} and then {}", "first {} then {}")
RATE_HZ, PART_S, LEVEL = 16_000, 2.5, 0.1


@dataclass(frozen=True)
class Settings:
    """``layers``: of the Conformer."""

    epochs: int = 20
    temperature: float = 0.03
    layers: int = 2


def loudest(path: Path) -> np.ndarray:
    """The loudest `PART_S` of a recording at RMS `LEVEL`, float32."""
    waveform = load_audio(path, RATE_HZ).waveform
    samples = round(PART_S * RATE_HZ)
    energy = np.cumsum(np.pad(waveform.astype(np.float64) ** 2, (1, samples)))
    start = int(np.argmax(energy[samples:] - energy[:-samples]))
    part = np.pad(waveform[start : start + samples], (0, samples))[:samples]
    part = part * LEVEL / max(1e-4, float(np.sqrt(np.mean(part**2))))
    return np.clip(part, -1, 1).astype(np.float32)


def write_pairs(folder: Path) -> Path:
    """A manifest of recordings of two sounds each, made in ``folder``."""
    by_class: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip in esc.esc_clips():
        by_class[esc.label_of(clip)][clip.split].append(clip)
    common = sorted(by_class, key=lambda label: -len(by_class[label]["train"]))[:CLASSES]
    pairs = list(combinations(common, 2))
    rng = random.Random(0)
    rng.shuffle(pairs)
    manifest = folder / "pairs.jsonl"
    write_manifest(manifest, _clips(pairs, by_class, rng, folder))
    return manifest


def _clips(
    pairs: Sequence[tuple[str, str]],
    by_class: dict[str, dict[str, list[Clip]]],
    rng: random.Random,
    folder: Path,
) -> Iterator[Clip]:
    names = {label: captions[0] for label, captions in esc.class_captions().items()}
    for place, pair in enumerate(pairs):
        split = "val" if place < HELD_OUT else "train"
        for number in range(CLIPS[split]):
            sounds = {label: loudest(rng.choice(by_class[label][split]).audio) for label in pair}
            for first, second in (pair, pair[::-1]):
                path = folder / f"{first}-{second}-{number}.wav".replace(" ", "_")
                soundfile.write(path, np.concatenate([sounds[first], sounds[second]]), RATE_HZ)
                texts = [t.format(names[first], names[second]) for t in TEMPLATES]
                reverse = TEMPLATES[0].format(names[second], names[first])
                yield Clip(path, tuple(texts), path.stem, split, extra={"reverse": reverse})


def recipe(manifest: Path, settings: Settings, pooling: str, seed: int) -> Values:
    return changed(
        SMALL,
        {
            "data": {"train": str(manifest)},
            "model": {
                "encoder": {"hop_s": 0.24},
                "conformer": {"layers": settings.layers},
                "embedding": {"pooling": pooling},
            },
            "training": {
                "epochs": settings.epochs,
                "temperature": settings.temperature,
                "seed": seed,
            },
        },
    )


@torch.no_grad()
def accuracies(job: Job, manifest: Path, embedder: TextEmbedder) -> dict[str, float]:
    """How often the right order is chosen, and the right caption of all."""
    examples = Examples.read([manifest], "val", job.model.config.max_duration_s)
    every = sorted({clip.captions[0] for clip in examples})
    right = defaultdict[str, list[bool]](list)
    for batch, memory in listened(job, examples):
        cross = job.model.decoder.read_memory(memory.memory, memory.lengths)
        true = [captions[0] for captions in batch.captions]
        reverse = [str(examples.clip(index).extra["reverse"]) for index in batch.indices]
        audio = F.normalize(memory.embedding)
        cosines = [(audio * embedder.embed(texts)).sum(dim=1) for texts in (true, reverse)]
        right["order, by embedding"] += (cosines[0] > cosines[1]).tolist()
        both = [list(texts) for texts in zip(true, reverse, strict=True)]
        told = torch.tensor(log_likelihoods(job.model.decoder, cross, both, job.tokenizer))[..., 0]
        right["order, by likelihood"] += (told[:, 0] > told[:, 1]).tolist()
        best = (audio @ embedder.embed(every).T).argmax(dim=1).tolist()
        right["sounds, by embedding"] += [
            every[n] in texts for n, texts in zip(best, both, strict=True)
        ]
    return {name: mean(map(float, hits)) for name, hits in right.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--temperature", type=float, default=Settings.temperature)
    parser.add_argument("--layers", type=int, default=Settings.layers, help="of the Conformer")
    options = parser.parse_args()
    settings = Settings(options.epochs, options.temperature, options.layers)
    if not esc.DATA.is_dir():
        sys.exit(esc.MISSING)
    embedder = TextEmbedder("all-MiniLM-L6-v2")
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        manifest = write_pairs(work)
        pairs = {
            (clip.captions[0], str(clip.extra["reverse"]))
            for clip in Examples.read([manifest], "val", 30.0)
        }
        near = mean((torch.dot(*embedder.embed(pair))).item() for pair in pairs)
        print(f"cosine of a caption's text embedding with its reverse's: {near:.3f}")
        for pooling in POOLINGS:
            values = found[pooling] = defaultdict(list)
            for seed in range(options.seeds):
                job = trained(recipe(manifest, settings, pooling, seed), work / f"{pooling}-{seed}")
                for what, value in accuracies(job, manifest, embedder).items():
                    values[what].append(value)
    print(f"right choices, %: mean and deviation of {options.seeds} seeds; {settings}")
    names = list(next(iter(found.values())))
    print(f"{'pooling':16}" + "".join(f"{what:>24}" for what in names))
    for pooling, values in found.items():
        cells = [
            f"{100 * mean(v):5.1f} ± {100 * stdev(v) if len(v) > 1 else 0:4.1f}"
            for v in values.values()
        ]
        print(f"{pooling:16}" + "".join(f"{cell:>24}" for cell in cells))


if __name__ == "__main__":
    main()
