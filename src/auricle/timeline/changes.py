"""Changes: the moments within a sound from which on something else is heard.

At a change, the model's own embedding of the sound turns to another caption, some activations of
its frozen encoder go up or down, and so do levels in the bands of frequency. The first two tell
that there is a change, the levels also when it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from auricle.model.captioner import AudioCaptioner
from auricle.timeline.levels import STEP_S
from auricle.timeline.stretches import Stretch, spectral_change

PLACES_S = 0.5  # between the places that are compared
LEAST_S = 1.5  # of a segment
NEAR_S, FAR_S = 0.3, 4.0  # before and after a place, for its spectrum
EMBEDDED_S, ACTIVE_S = 4.0, 3.0  # for its embedding and the activations
ACTIVE = 0.02  # share of the activations that change most


class Weights(NamedTuple):
    """A logistic regression on places within clips and between clips that touch."""

    embedding: float
    activation: float
    near: float
    far: float
    bias: float


# Fitted on 19 recordings made of AudioCaps clips and ESC-50 (see benchmarks/timeline), with a bias
# that gave the best captions.
OF_LOG_ODDS = Weights(3.1, 7.1, 0.7, 2.1, -11.5)
OF_OTHERS = Weights(5.1, 0.5, 0.7, 2.0, -11.3)  # activations relative to their spread
SENSITIVE = 4.0  # between sensitivities 0 and 1


def find_changes(
    model: AudioCaptioner, stretch: Stretch, features: Tensor, sensitivity: float = 0.5
) -> list[float]:
    """Seconds of the recording, in order. ``features``: [T, D] of the stretch's waveform."""
    places = np.arange(stretch.start_s + LEAST_S, stretch.end_s - LEAST_S + 1e-9, PLACES_S)
    if not len(places):
        return []
    near, far = (spectral_change(stretch.levels, round(s / STEP_S)) for s in (NEAR_S, FAR_S))
    frames = np.round((places - stretch.start_s) / STEP_S).astype(int)
    beside = round(PLACES_S / 2 / STEP_S)
    sums = near + far
    exact = [f - beside + int(np.argmax(sums[f - beside : f + beside + 1])) for f in frames]
    by = OF_LOG_ODDS if model.encoder.gives_log_odds else OF_OTHERS
    scores = (
        by.embedding * _embedding_turns(model, stretch, features, places)
        + by.activation * _activation_turns(model, stretch, features, places)
        + by.near * near[exact]
        + by.far * far[exact]
        + by.bias
        + SENSITIVE * (sensitivity - 0.5)
    )
    found: list[float] = list(stretch.cuts_s)
    for number in np.argsort(-scores):
        place = stretch.start_s + exact[number] * STEP_S
        edges = (stretch.start_s, stretch.end_s, *found)
        if scores[number] > 0 and all(abs(place - edge) >= LEAST_S for edge in edges):
            found.append(place)
    return sorted(found)


def _embedding_turns(
    model: AudioCaptioner, stretch: Stretch, features: Tensor, places: np.ndarray
) -> np.ndarray:
    """1 - the cosine of the embeddings of the sound before and after each place, [N]."""
    sections = list(_sections(model, stretch, len(features), places, EMBEDDED_S))
    each = sorted(set(sections))
    parts = [features[first:last] for first, last in each]
    lengths = torch.tensor([len(part) for part in parts], device=features.device)
    embedding = model.encode_features(pad_sequence(parts, batch_first=True), lengths).embedding
    unit = F.normalize(embedding.float(), dim=-1).cpu()
    row = {section: number for number, section in enumerate(each)}
    before, after = (unit[[row[one] for one in sections[side::2]]] for side in (0, 1))
    return (1 - (before * after).sum(dim=-1)).numpy()


def _activation_turns(
    model: AudioCaptioner, stretch: Stretch, features: Tensor, places: np.ndarray
) -> np.ndarray:
    """How much the mean features before and after each place differ, [N]: the mean of the largest
    differences; relative to the standard deviation in the stretch, unless they are log-odds."""
    values = features.float().cpu()
    spread = 1.0
    if model.encoder.gives_log_odds:
        values = values[:, : model.encoder.classes]
    else:
        spread = float((values - values.mean(dim=0)).square().mean().sqrt()) + 1e-6
    sections = _sections(model, stretch, len(features), places, ACTIVE_S)
    means = torch.stack([values[first:last].mean(dim=0) for first, last in sections])
    most = max(1, round(ACTIVE * values.shape[1]))
    differences = (means[0::2] - means[1::2]).abs().topk(most, dim=1).values
    return (differences.mean(dim=1) / spread).numpy()


def _sections(
    model: AudioCaptioner, stretch: Stretch, length: int, places: np.ndarray, seconds: float
) -> Iterator[tuple[int, int]]:
    """The features (first, last) of up to so many ``seconds`` before and then after each place."""
    for place in places:
        begin, end = max(stretch.start_s, place - seconds), min(stretch.end_s, place + seconds)
        for start_s, end_s in ((begin, place), (place, end)):
            own = model.encoder.frames_of(start_s - stretch.from_s, end_s - stretch.from_s)
            stop = min(own.stop, length)
            yield min(own.start, stop - 1), stop
