"""Events: neighbours that say the same become one, judged by the memory of all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from auricle.model.pooled import PooledMemory
from auricle.timeline.events import BESIDE_S, PAUSE_S, Events
from auricle.timeline.segments import Segment
from tests.helpers.models import captioner_of, make_bundle, make_ensemble

RATE = 16_000


@pytest.fixture(scope="module", params=["one model", "two models", "no embedder"])
def describer(request, bundles):
    if request.param == "no embedder":
        captioner = captioner_of(make_bundle(0))
        captioner.scorers = tuple(replace(one, embedder=None) for one in captioner.scorers)
    else:
        two = request.param == "two models"
        captioner = captioner_of(make_ensemble(bundles) if two else bundles[0])
    return captioner.describer(captioner.decoding(candidates=3))


def segment(describer, start_s, seed, seconds=2.0):
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 0.1
    with torch.inference_mode():
        memories = [model.encode([noise.astype(np.float32)]) for model in describer.ensemble.models]
    return Segment(start_s, start_s + seconds, tuple(memories))


def spans(events):
    return [(event.start_s, event.end_s) for event in events]


def found(describer, segments, batch=100, **options):
    batches = [segments[first : first + batch] for first in range(0, len(segments), batch)]
    return [*Events(describer, 1000, **options).of(batches)]


def test_the_same_sound_twice_is_one_event_with_the_candidates_of_both(describer):
    pair = [segment(describer, 0.0, 0), segment(describer, 2.4, 0)]
    (event,) = found(describer, pair)
    assert (event.start_s, event.end_s) == (0.0, 4.4)
    pooled = PooledMemory(1000)
    for one in pair:
        pooled.add(one.memories, 2.0)
    assert event.memory.seconds == 4.0
    for memory, expected in zip(event.memory.memories(), pooled.memories(), strict=True):
        assert torch.allclose(memory.memory, expected.memory)
    own = describer.candidates(pair[0].memories)
    expected = describer.again(pooled.memories(), own * 2)
    assert {one.text for one in event.candidates} == {one.text for one in own[0]}
    for one, other in zip(event.candidates, expected, strict=True):
        assert one.text == other.text
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.count == other.count


@pytest.mark.parametrize(
    ("pause_s", "options", "count"),
    [
        (0.0, {}, 1),
        (PAUSE_S, {}, 1),  # in the same words
        (PAUSE_S + 0.01, {}, 2),
        (1.0, {"max_duration_s": 4.9}, 2),
        (1.0, {"max_duration_s": 5.0}, 1),
    ],
)
def test_a_pause_or_a_limit_keeps_them_apart(describer, pause_s, options, count):
    pair = [segment(describer, 10.0, 0), segment(describer, 12.0 + pause_s, 0)]
    assert len(found(describer, pair, **options)) == count


def test_batches_change_nothing(describer):
    seeds = [0, 0, 1, 2, 2, 2, 3, 0]
    segments = [segment(describer, 2.5 * n, seed) for n, seed in enumerate(seeds)]
    alone, together = (found(describer, segments, batch) for batch in (1, 100))
    assert spans(alone) == spans(together)
    assert [one.caption for one in alone] == [one.caption for one in together]
    assert sum(len(one.candidates) > 0 for one in alone) == len(alone)
    starts = [start_s for start_s, _ in spans(alone)]
    assert starts == sorted(starts)
    assert spans(alone)[-1][1] == segments[-1].end_s


def test_events_come_one_behind_and_nothing_of_nothing(describer):
    assert found(describer, []) == []
    taken = []

    def batches():
        for number in range(6):
            taken.append(number)
            yield [segment(describer, 10.0 * number, number)]

    events = Events(describer, 1000).of(batches())
    next(events)
    assert len(taken) == 2
    assert BESIDE_S < PAUSE_S
