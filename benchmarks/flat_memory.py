"""Memory and speed of an epoch of 50,000 manifest rows, from waveforms and from stored features.

    python benchmarks/flat_memory.py [--rows N] [--workers N ...]

Memory is that of the training process and its workers together; shared pages count once (Linux's
proportional set size). The baseline is a list of all clips, as in a naive program.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from torch.utils.data import DataLoader, Dataset

from auricle.data.keys import ContentKeys, text_key
from auricle.data.manifest import read_manifest
from auricle.data.store import ArrayStore
from auricle.text.tokenizer import CaptionTokenizer
from auricle.training.batch import Batch
from auricle.training.config import TrainingConfig
from auricle.training.examples import Examples
from auricle.training.inputs import Inputs, StoredEmbeddings, StoredFeatures, Waveforms
from auricle.training.paired_batches import PairedBatches

RATE_HZ = 16_000
CAPTIONS = 5
EMBEDDING, FEATURES = 384, (10, 128)  # MiniLM's width; frames and width of a clip's features
CHUNK = 2000
READINGS = 8


def memory_mb() -> float:
    """Proportional set size of this process and its children."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    sizes = []
    for process in ["self", *children]:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        sizes += [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return sum(sizes) / 1000


def write_data(folder: Path, rows: int) -> Path:
    """``rows`` sections of one noise, 0.4 to 0.6 s, each with its own five captions."""
    rng = np.random.default_rng(0)
    soundfile.write(folder / "noise.wav", 0.1 * rng.standard_normal(2 * RATE_HZ), RATE_HZ)
    words = "dog barks rain falls on roof car passes by people talk in distance".split()
    path = folder / "manifest.jsonl"
    with path.open("w") as file:
        for i in range(rows):
            start_s = round(float(rng.uniform(0, 1.4)), 6)
            clip = {
                "audio": "noise.wav",
                "captions": [f"{' '.join(rng.choice(words, 10))} {i} {n}" for n in range(CAPTIONS)],
                "id": f"clip {i}",
                "split": "train",
                "start_s": start_s,
                "end_s": round(start_s + float(rng.uniform(0.4, 0.6)), 6),
            }
            file.write(json.dumps(clip) + "\n")
    return path


def store_arrays(folder: Path, examples: Examples) -> tuple[ArrayStore, ArrayStore, ContentKeys]:
    """Stores with noise for every clip's features and every caption's embedding."""
    rng = np.random.default_rng(0)
    features = ArrayStore(folder, {"of": "features"}, FEATURES[1])
    embeddings = ArrayStore(folder, {"of": "embeddings"}, EMBEDDING)
    keys = ContentKeys(folder)
    for first in range(0, len(examples), CHUNK):
        clips = [examples.clip(i) for i in range(first, min(first + CHUNK, len(examples)))]
        texts = [text for clip in clips for text in clip.captions]
        vectors = rng.standard_normal((len(texts), 1, EMBEDDING))
        arrays = rng.standard_normal((len(clips), *FEATURES))
        embeddings.put_many(zip(map(text_key, texts), vectors, strict=True))
        features.put_many(zip(map(keys.clip_key, clips), arrays, strict=True))
    keys.save()
    return features, embeddings, keys


class Steps(Dataset):
    """Steps for a loader's workers, as in the training loop."""

    def __init__(self, data: PairedBatches) -> None:
        self.data = data

    def __getitem__(self, step: int) -> list[Batch]:
        return self.data.at(step)


def measure(name: str, data: PairedBatches, workers: int) -> None:
    steps = data.steps_per_epoch
    loader = DataLoader(Steps(data), None, sampler=range(1, steps + 1), num_workers=workers)
    readings, clips, start = [], 0, time.perf_counter()
    for step, batches in enumerate(loader, 1):
        clips += sum(map(len, batches))
        if step % max(1, steps // READINGS) == 0:
            readings.append(memory_mb())
    seconds = time.perf_counter() - start
    course = " ".join(f"{reading:5.0f}" for reading in readings)
    grown = readings[-1] - readings[0]
    print(f"{name:<16} {workers} workers {clips / seconds:7.0f} clips/s  {course}  {grown:+.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = write_data(folder, arguments.rows)
        print(f"{arguments.rows} rows, {manifest.stat().st_size / 1e6:.0f} MB of manifest")
        before, start = memory_mb(), time.perf_counter()
        examples = Examples.read([manifest], "train", 30.0)
        seconds = time.perf_counter() - start
        print(f"{'indexed in':<30} {seconds:6.1f} s  {memory_mb() - before:+6.1f} MB")
        features, embeddings, keys = store_arrays(folder, examples)
        start = time.perf_counter()
        stored = StoredFeatures(examples, features, keys)
        print(f"{'features found in':<30} {time.perf_counter() - start:6.1f} s")
        first = (text for i in range(1000) for text in examples.clip(i).captions)
        tokenizer = CaptionTokenizer.train(first, 2000)
        inputs: dict[str, Inputs] = {
            "waveforms": Waveforms(examples, RATE_HZ, 30.0),
            "stored features": stored,
        }
        config, embed = TrainingConfig(epochs=1), StoredEmbeddings(embeddings)
        for name, kind in inputs.items():
            data = PairedBatches(examples, kind, tokenizer, embed, config, max_tokens=64)
            for workers in arguments.workers:
                measure(name, data, workers)
        before = memory_mb()
        clips = list(read_manifest(manifest))
        print(
            f"{'baseline: a list of clips':<30} {len(clips)} rows {memory_mb() - before:+6.1f} MB"
        )


if __name__ == "__main__":
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # or it warns of the fork
    main()
