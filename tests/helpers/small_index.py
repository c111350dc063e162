"""A small index, with vectors that are chosen, and a text embedder that knows three words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from auricle.hub.ensemble import TextSide
from auricle.search import search as library_module
from auricle.search.rows import Described, Indexed, Maker
from auricle.search.store import Index

AXES = ("rain", "thunder", "dog")  # of the vectors


class WordEmbedder:
    """A text is the mean of the axes that it names; of none, a fourth one."""

    def embed(self, texts):
        rows = [[float(axis in text) for axis in AXES] for text in texts]
        return torch.tensor([[*row, float(not any(row))] for row in rows])


def vector(**parts: float) -> np.ndarray:
    found = np.array([parts.get(axis, 0.0) for axis in AXES] + [0.1])
    return (found / np.linalg.norm(found)).astype(np.float32)


def sound(caption: str, tags=(), start_s=0.0, end_s=5.0, segment=False, **parts) -> Described:
    return Described(start_s, end_s, caption, 0.5, 0.0, tags, segment, vector(**parts))


def small_index(folder: Path, monkeypatch) -> Path:
    """``folder`` with the index of "debug", which `Library` takes for a model that it can load."""
    monkeypatch.setattr(library_module, "model_digest", lambda name: "d1")
    sides = (TextSide("debug", WordEmbedder()),)
    monkeypatch.setattr(library_module, "load_text_sides", lambda name: sides)
    files = {
        "/a/shower.wav": [sound("rain falls", ("Rain",), rain=1.0)],
        "/a/storm.wav": [
            sound("rain falls and it roars", ("Rain", "Thunder"), rain=1, thunder=0.5)
        ],
        "/b/rex.wav": [sound("a dog barks", ("Dog",), dog=1.0)],
        "/b/MetalGate02.wav": [sound("a clock ticks", dog=0.1)],
        "/b/walk.wav": [
            sound("a man speaks", end_s=90.0, dog=0.3, rain=0.3),
            sound("a dog barks far away", ("Dog",), 30.0, 40.0, True, dog=0.9),
            sound("a dog whines", ("Dog",), 60.0, 70.0, True, dog=0.7, rain=0.2),
            sound("a man speaks", (), 0.0, 10.0, True, rain=0.1),
        ],
    }
    with Index(folder, Maker("debug", "d1")) as index:
        for path, sounds in files.items():
            index.add([(Indexed(path, 1, 1, path, sounds[0].end_s, "WAV"), sounds)])
        index.copy("/b/rex.wav", Indexed("/c/rex copy.wav", 1, 1, "/b/rex.wav", 5.0, "WAV"))
    return folder
