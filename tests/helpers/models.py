"""Small models for tests, alone and as ensembles."""

from __future__ import annotations

from dataclasses import replace

import torch

from auricle.decoding.options import DecodeOptions
from auricle.hub.ensemble import Ensemble, EnsembleConfig, Member
from auricle.hub.folder import Bundle, EmbedderSpec
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.pipeline import Captioner
from auricle.text.tokenizer import CaptionTokenizer
from tests.helpers.hash_embedder import HashEmbedder

RATE = 16_000
WORDS = "a dog barks while rain falls and wind blows as people talk in the distance".split()
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
