"""A recipe of debug size, with its clips."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import soundfile

from auricle.model.config import debug_config

RATE = 16_000
CAPTIONS = [
    "a low tone hums without any change",
    "a high tone beeps twice in a row",
    "white noise hisses like steady rain outside",
    "a click repeats about five times a second",
]


def sound(kind: int, rng: np.random.Generator, seconds: float) -> np.ndarray:
    t = np.arange(int(RATE * seconds)) / RATE
    match kind:
        case 0:
            wave = np.sin(2 * np.pi * 120 * t)
        case 1:
            wave = np.sin(2 * np.pi * 3000 * t) * (t % 0.5 < 0.2)
        case 2:
            wave = rng.normal(size=len(t))
        case _:
            wave = rng.normal(size=len(t)) * (t % 0.2 < 0.01)
    return (0.3 * wave / np.abs(wave).max() + rng.normal(0, 0.003, len(t))).astype(np.float32)


def write_toy_recipe(folder: Path) -> Path:
    """A recipe for the debug model on 12 training and 4 validation clips, in ``folder``."""
    rng = np.random.default_rng(0)
    with (folder / "clips.jsonl").open("w") as file:
        for i in range(16):
            soundfile.write(folder / f"{i}.wav", sound(i % 4, rng, 0.8 + 0.1 * (i % 5)), RATE)
            row = {
                "audio": f"{i}.wav",
                "captions": [CAPTIONS[i % 4]],
                "id": str(i),
                "split": "train" if i < 12 else "val",
                "licence": "CC0",
            }
            file.write(json.dumps(row) + "\n")
    model = debug_config(embedding_dim=384)
    lines = [
        'name = "toy"',
        'out = "out"',
        'encoder_weights = "random"',
        "[data]",
        'train = "clips.jsonl"',
        'validation = "clips.jsonl"',
        "[tokenizer]",
        "vocab_size = 290",
        "[text_embedder]",
        'name = "all-MiniLM-L6-v2"',
        'prompt = ""',
        "[training]",
        "epochs = 2",
        "batch_size = 4",
        "learning_rate = 2e-3",
        "warmup_steps = 2",
        "checkpoint_every = 2",
        "workers = 0",
        "[validation]",
        "captions_every = 2",
        "[decoding]",
        "candidates = 3",
    ]
    for name in ("encoder", "conformer", "embedding", "decoder"):
        lines.append(f"[model.{name}]")
        values = dataclasses.asdict(getattr(model, name))
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    path = folder / "toy.toml"
    path.write_text("\n".join(lines))
    return path
