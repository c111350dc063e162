"""Small ensembles for tests."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from auricle.decoding.options import DecodeOptions
from auricle.hub.ensemble import (
    Ensemble,
    EnsembleConfig,
    Member,
    save_ensemble,
)
from auricle.hub.folder import Bundle, EmbedderSpec
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.pipeline import Captioner
from auricle.text.tokenizer import CaptionTokenizer
from hash_embedder import HashEmbedder

RATE = 16_000
WORDS = "a dog barks while rain falls and wind blows as people talk in the distance".split()
OTHER_WORDS = "an engine hums near birds that sing over water".split()
OPTIONS = DecodeOptions(candidates=6, temperature=1.0, max_length=12)


def make_bundle(seed, words=WORDS, **changes):
    """A random model; every one has the encoder of seed 0, as frozen encoders are equal."""
    torch.manual_seed(0)
    config = replace(debug_config(vocab_size=300), **changes)
    model = AudioCaptioner(config)
    encoder = model.encoder
    torch.manual_seed(seed)
    model = AudioCaptioner(config).eval()
    model.encoder = encoder.eval()
    torch.nn.init.normal_(model.decoder.tokens.weight, std=0.2)
    tokenizer = CaptionTokenizer.train([" ".join(words)], 300)
    spec = EmbedderSpec("all-MiniLM-L6-v2", "")
    return Bundle(f"debug-{seed}", model, tokenizer, spec, OPTIONS, f"# Member {seed}\n")


def make_ensemble(bundles, pool="candidates", weights=None):
    weights = weights or [(1.0, 1.0)] * len(bundles)
    members = tuple(Member(f"m{i}", *pair) for i, pair in enumerate(weights))
    config = EnsembleConfig(members, pool, OPTIONS)
    return Ensemble("together", config, tuple(bundles))


def captioner_of(model):
    """Of an ensemble or a bundle, without a text embedder's model."""
    captioner = Captioner(Ensemble.of(model) if isinstance(model, Bundle) else model)
    embedder = HashEmbedder()
    captioner.scorers = tuple(replace(scorer, embedder=embedder) for scorer in captioner.scorers)
    return captioner


@pytest.fixture(scope="module")
def bundles():
    return [make_bundle(seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def sounds():
    noise = np.random.default_rng(0)
    return [(noise.standard_normal(int(RATE * s)) * 0.1).astype(np.float32) for s in (1, 0.5)]


@pytest.fixture
def folder(bundles, tmp_path):
    ensemble = make_ensemble(bundles, weights=[(0.25, 0.5), (0.75, 0.5)])
    save_ensemble(tmp_path / "ens", ensemble)
    return tmp_path / "ens"


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# Folders
