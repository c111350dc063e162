"""Changes: the moments within a sound from which on something else is heard.

At a change, the model's own embedding of the sound turns to another caption, and the levels in the
bands of frequency turn too. The first tells that there is a change, the second when it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from auricle.model.captioner import AudioCaptioner
from auricle.timeline.levels import STEP_S
from auricle.timeline.stretches import Stretch, spectral_change

HEARD_S = 2.0  # before and after a place
PLACES_S = 0.5  # between the places that are compared
LEAST_S = 1.5  # of a segment
# A logistic regression on ends of clips that touch (see benchmarks/timeline).
EMBEDDING, SPECTRUM, BIAS = 4.0, 3.0, -7.5


def find_changes(
    model: AudioCaptioner, stretch: Stretch, features: Tensor, sensitivity: float = 0.5
) -> list[float]:
    """Seconds of the recording, in order. ``features``: [T, D] of the stretch's waveform."""
    places = _places(stretch)
    if not len(places):
        return []
    side = round(HEARD_S / STEP_S)
    spectrum = spectral_change(stretch.levels, side)
    frames = np.round((places - stretch.start_s) / STEP_S).astype(int)
    near = round(PLACES_S / 2 / STEP_S)
    peaks = [f - near + int(np.argmax(spectrum[f - near : f + near + 1])) for f in frames]
    turns = _embedding_turns(model, stretch, features, places)
    scores = EMBEDDING * turns + SPECTRUM * spectrum[peaks] + BIAS
    scores += 4.0 * (sensitivity - 0.5)
    exact = stretch.start_s + np.array(peaks) * STEP_S
    found: list[float] = list(stretch.cuts_s)
    for number in np.argsort(-scores):
        place = float(exact[number])
        edges = (stretch.start_s, stretch.end_s, *found)
        if scores[number] > 0 and all(abs(place - edge) >= LEAST_S for edge in edges):
            found.append(place)
    return sorted(found)


def _places(stretch: Stretch) -> np.ndarray:
    return np.arange(stretch.start_s + LEAST_S, stretch.end_s - LEAST_S + 1e-9, PLACES_S)


def _embedding_turns(
    model: AudioCaptioner, stretch: Stretch, features: Tensor, places: Sequence[float] | np.ndarray
) -> np.ndarray:
    """1 - the cosine of the embeddings of the sound before and after each place, [N]."""
    sections = []
    for place in places:
        begin, end = max(stretch.start_s, place - HEARD_S), min(stretch.end_s, place + HEARD_S)
        for start_s, end_s in ((begin, place), (place, end)):
            frames = model.encoder.frames_of(start_s - stretch.from_s, end_s - stretch.from_s)
            sections.append((frames.start, min(frames.stop, len(features))))
    each = sorted(set(sections))
    parts = [features[first:last] for first, last in each]
    lengths = torch.tensor([len(part) for part in parts], device=features.device)
    embedding = model.encode_features(pad_sequence(parts, batch_first=True), lengths).embedding
    unit = F.normalize(embedding.float(), dim=-1).cpu()
    row = {section: number for number, section in enumerate(each)}
    before, after = (unit[[row[one] for one in sections[side::2]]] for side in (0, 1))
    return (1 - (before * after).sum(dim=-1)).numpy()
