"""Scores of timed captions against known events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auricle.metrics.cider import cider_d_simple
from auricle.records import Caption

from .recordings import Event

STEP_S = 0.01
OVERLAP = 0.5  # of an event: as much must lie in captions, or of a false caption: outside events


@dataclass(frozen=True)
class Found:
    """``recall``: share of events of which `OVERLAP` lies in captions; ``precision``: share of the
    captioned time that lies in events; ``boundary_s``: median distance of an event's start or end
    to the nearest start or end of a caption; ``false_per_min``: captions without an event, per
    minute between events; ``cider_d`` of the caption with the longest overlap."""

    recall: float
    precision: float
    boundary_s: float
    false_per_min: float
    cider_d: float
    captions: int


def score(events: Sequence[Event], captions: Sequence[Caption], duration_s: float) -> Found:
    size = round(duration_s / STEP_S) + 1
    heard, true = np.zeros(size, bool), np.zeros(size, bool)
    for one, mask in [(c, heard) for c in captions] + [(e, true) for e in events]:
        mask[round(one.start_s / STEP_S) : round(one.end_s / STEP_S)] = True
    covered = [heard[_span(event)].mean() >= OVERLAP for event in events]
    edges = np.array([t for c in captions for t in (c.start_s, c.end_s)] or [np.inf])
    errors = [np.abs(edges - t).min() for e in events for t in (e.start_s, e.end_s)]
    false = sum(true[_span(caption)].mean() < 1 - OVERLAP for caption in captions)
    said = [_said(event, captions) for event in events]
    references = [list(event.references) for event in events]
    return Found(
        float(np.mean(covered)),
        float((heard & true).sum() / max(1, heard.sum())),
        float(np.median(errors)),
        false / max(1e-9, (~true).sum() * STEP_S / 60),
        cider_d_simple(said, references)[0] if all(references) else float("nan"),
        len(captions),
    )


def _said(event: Event, captions: Sequence[Caption]) -> str:
    """The caption with the longest overlap, or nothing."""

    def overlap_s(caption: Caption) -> float:
        return min(event.end_s, caption.end_s) - max(event.start_s, caption.start_s)

    best = max(captions, key=overlap_s, default=None)
    return best.caption if best and overlap_s(best) > 0 else ""


def _span(one: Event | Caption) -> slice:
    return slice(round(one.start_s / STEP_S), max(1, round(one.end_s / STEP_S)))
