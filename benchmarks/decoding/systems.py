"""Systems to measure: a model, its tokenizer and recordings, at one of two sizes.

``full`` is the published architecture with random weights on noise, with a vocabulary of BART's
size in which each word is one token: a caption re-tokenises to the drawn tokens, as a trained
model's mostly does. Random weights draw almost evenly among about fifty tokens, so samples share no
prefixes and reach the length limit, the worst case. ``tiny`` is the bundled model on the examples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from auricle.audio.load import load_audio
from auricle.decoding.hypothesis import Scorer
from auricle.decoding.options import DecodeOptions
from auricle.hub.folder import load_bundle
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import CaptionerConfig
from auricle.text.tokenizer import SPECIAL, UNK, CaptionTokenizer

ROOT = Path(__file__).parents[2]
SIZES = ("tiny", "full")
SEED = 0


@dataclass(frozen=True)
class System:
    """A captioner without its text embedder, and its decoding options."""

    model: AudioCaptioner
    tokenizer: CaptionTokenizer
    options: DecodeOptions

    @property
    def scorer(self) -> Scorer:
        return Scorer("benchmark", self.model.decoder, self.tokenizer)


def build_system(size: str, candidates: int) -> System:
    if size == "full":
        return random_system(CaptionerConfig(), DecodeOptions(candidates=candidates))
    bundle = load_bundle("tiny")
    assert bundle.tokenizer is not None
    options = replace(bundle.decoding, candidates=candidates)
    return System(bundle.model.eval(), bundle.tokenizer, options)


def random_system(config: CaptionerConfig, options: DecodeOptions) -> System:
    torch.manual_seed(SEED)
    model = AudioCaptioner(config).eval()
    return System(model, word_tokenizer(config.decoder.vocab_size), options)


def word_tokenizer(size: int) -> CaptionTokenizer:
    """Special tokens and the unsplit words "w4", "w5" …, ``size`` entries in all."""
    words = [*SPECIAL, *(f"w{i}" for i in range(len(SPECIAL), size))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(SPECIAL)
    return CaptionTokenizer(tokenizer)


def make_clips(size: str, count: int, seconds: float, rate_hz: int) -> list[np.ndarray]:
    """``count`` different waveforms [samples], float32: noise, or the examples cut or looped."""
    samples = round(seconds * rate_hz)
    if size == "full":
        rng = np.random.default_rng(SEED)
        return [0.1 * rng.standard_normal(samples, dtype=np.float32) for _ in range(count)]
    sounds = [load_audio(path, rate_hz).waveform for path in example_files()]
    return [looped(sounds[i % len(sounds)], samples, i // len(sounds)) for i in range(count)]


def example_files() -> list[Path]:
    kinds = (".ogg", ".mp3", ".flac", ".wav")
    return sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in kinds)


def looped(sound: np.ndarray, samples: int, turn: int = 0) -> np.ndarray:
    """``samples`` of ``sound``, repeated along its first axis; the start depends on ``turn``."""
    start = round(turn * 0.381966 * len(sound))  # the golden section: starts never coincide
    return np.take(sound, np.arange(start, start + samples), axis=0, mode="wrap")
