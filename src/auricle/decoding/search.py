"""Decoding of many clips together: greedy, nucleus sampling, beam and diverse beam search."""

from __future__ import annotations

from auricle.decoding.beam import beam_search
from auricle.decoding.forbidden import ForbiddenWords
from auricle.decoding.hypothesis import TokenSequence
from auricle.decoding.options import DecodeOptions
from auricle.decoding.sampling import sample, samples_per_clip
from auricle.decoding.steps import DecoderSteps, Steps
from auricle.model.bart import BartDecoder, CrossMemory
from auricle.model.config import DecoderConfig

MEMORY = 256 * 2**20  # bytes of logits and cached keys and values that one search may use


def decode(
    decoder: BartDecoder, cross: CrossMemory, options: DecodeOptions, seed: int = 0
) -> list[list[TokenSequence]]:
    """`search` with one decoder."""
    return search(DecoderSteps(decoder, cross), options, seed)


def search(
    steps: Steps, options: DecodeOptions, seed: int = 0, forbidden: ForbiddenWords | None = None
) -> list[list[TokenSequence]]:
    """Decode by ``options.method``: the sequences of each clip, best first (samples as drawn).

    `MEMORY` limits how many clips are decoded together; the result does not depend on it or on the
    batch. ``seed`` fixes sampling. ``forbidden``: the rules of ``options.forbidden_words``.
    """
    found: list[list[TokenSequence]] = []
    together = clips_together(steps.config, options)
    for first in range(0, steps.clips, together):
        part = steps.part(slice(first, first + together))
        if options.method in ("beam", "diverse-beam"):
            found += beam_search(part, options, forbidden)
        else:
            found += sample(part, options, seed, forbidden)
    return found


def clips_together(config: DecoderConfig, options: DecodeOptions) -> int:
    """The number of clips that fit into `MEMORY`."""
    tokens = min(options.max_length, config.max_positions)
    per_row = 4 * (2 * config.vocab_size + 2 * config.layers * config.dim * tokens)
    return max(1, MEMORY // (per_row * samples_per_clip(options)))
