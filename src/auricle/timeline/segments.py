"""Segments: the stretches of a recording, heard and cut where the sound changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from auricle.hearing import BATCH_SIZE
from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.model.together import features_together
from auricle.timeline.changes import find_changes
from auricle.timeline.options import TimelineOptions
from auricle.timeline.stretches import Stretch

TOGETHER_S = 60.0  # of sound in a batch


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of a recording with one event or scene, and its memories, one per model, [1, T, D]."""

    start_s: float
    end_s: float
    memories: tuple[AudioMemory, ...]


@torch.inference_mode()
def hear_segments(
    models: Sequence[AudioCaptioner],
    stretches: Iterable[Stretch],
    options: TimelineOptions,
    batch_size: int = BATCH_SIZE,
) -> Iterator[list[Segment]]:
    """The segments of the stretches, in order, in batches; ``batch_size``: stretches at most."""
    for batch in _batches(stretches, batch_size):
        waveforms = [stretch.waveform for stretch in batch]
        heard = features_together(models, waveforms)
        features, lengths = heard[0]
        spans: list[tuple[int, float, float]] = []
        for row, stretch in enumerate(batch):
            own = features[row, : lengths[row]]
            changes = find_changes(models[0], stretch, own, options.sensitivity)
            edges = [stretch.start_s, *changes, stretch.end_s]
            for span in pairwise(edges):
                spans += [(row, *part) for part in _within(*span, options.max_duration_s)]
        memories = [
            _remember(model, *found, batch, spans)
            for model, found in zip(models, heard, strict=True)
        ]
        yield [
            Segment(start_s, end_s, tuple(memory[row : row + 1] for memory in memories))
            for row, (_, start_s, end_s) in enumerate(spans)
        ]


def _batches(stretches: Iterable[Stretch], most: int) -> Iterator[list[Stretch]]:
    """Consecutive stretches, ``most`` at most, that take `TOGETHER_S` with padding, or single ones:
    rare batches of long stretches would take much more memory than the others."""
    batch: list[Stretch] = []
    for stretch in stretches:
        longest_s = max(one.end_s - one.start_s for one in [*batch, stretch])
        if batch and (len(batch) == most or longest_s * (len(batch) + 1) > TOGETHER_S):
            yield batch
            batch = []
        batch.append(stretch)
    if batch:
        yield batch


def _within(start_s: float, end_s: float, most_s: float | None) -> Iterator[tuple[float, float]]:
    """The span in as few equal parts of at most ``most_s`` as there can be."""
    parts = math.ceil((end_s - start_s) / most_s - 1e-6) if most_s else 1
    edges = [start_s + (end_s - start_s) * part / parts for part in range(parts)]
    return pairwise([*edges, end_s])


def _remember(
    model: AudioCaptioner,
    features: Tensor,
    lengths: Tensor,
    batch: Sequence[Stretch],
    spans: Sequence[tuple[int, float, float]],
) -> AudioMemory:
    """The memory of each span (row, start_s, end_s) of the stretches in ``batch``."""
    parts = []
    for row, start_s, end_s in spans:
        stretch, frames = batch[row], int(lengths[row])
        own = model.encoder.frames_of(start_s - stretch.from_s, end_s - stretch.from_s)
        heard_s = stretch.from_s + len(stretch.waveform) / model.encoder.sample_rate_hz
        stop = frames if end_s >= heard_s - 0.05 else min(own.stop, frames)
        parts.append(features[row, min(own.start, stop - 1) : stop])
    sizes = torch.tensor([len(part) for part in parts], device=features.device)
    return model.encode_features(pad_sequence(parts, batch_first=True), sizes)
