"""Changes within a sound: where the embedding and the spectrum turn, to the frame."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from auricle.timeline.changes import LEAST_S, find_changes
from auricle.timeline.levels import BANDS, STEP_S
from auricle.timeline.stretches import Stretch

FRAMES_PER_S = 10


class MeanModel:
    """Embeds a sound as the mean of its scores, ten of which are a second."""

    encoder = SimpleNamespace(
        frames_of=lambda start_s, end_s: slice(
            round(start_s * FRAMES_PER_S), max(1, round(end_s * FRAMES_PER_S))
        ),
        gives_log_odds=True,
        classes=8,
    )

    def encode_features(self, features, lengths):
        rows = [
            part[:n, :8].mean(dim=0) for part, n in zip(features, lengths.tolist(), strict=True)
        ]
        return SimpleNamespace(embedding=torch.stack(rows))


def stretch_of(turns_s, length_s=12.0, start_s=30.0, before_s=1.0, louder_db=12.0, cuts_s=()):
    """A stretch whose levels and features turn at ``turns_s`` from its start, and the features,
    which begin ``before_s`` before it."""
    rng = np.random.default_rng(0)
    frame_s = np.arange(round(length_s / STEP_S)) * STEP_S
    part = np.searchsorted(turns_s, frame_s, side="right")
    levels = rng.normal(-40, 2, (len(frame_s), BANDS)) + louder_db * (part % 2)[:, None]
    feature_s = np.arange(round((length_s + before_s) * FRAMES_PER_S)) / FRAMES_PER_S - before_s
    which = np.searchsorted(turns_s, feature_s + 1e-9, side="right")
    stretch = Stretch(
        start_s, start_s + length_s, start_s - before_s, np.zeros(0), levels, tuple(cuts_s)
    )
    return stretch, torch.eye(8)[which]


def changes(*arguments, sensitivity=0.5, **options):
    stretch, features = stretch_of(*arguments, **options)
    return find_changes(MeanModel(), stretch, features, sensitivity)


@pytest.mark.parametrize("turns_s", [[], [4.0], [6.3], [3.1, 7.52], [2.0, 5.0, 9.0]])
def test_a_change_is_found_to_the_frame(turns_s):
    assert changes(turns_s) == pytest.approx([30 + turn for turn in turns_s], abs=STEP_S)


def test_the_embedding_or_a_slight_turn_of_the_level_alone_is_no_change():
    assert changes([6.0], louder_db=0.0) == []
    stretch, features = stretch_of([6.0], louder_db=4.0)
    assert find_changes(MeanModel(), stretch, torch.ones_like(features)) == []
    assert find_changes(MeanModel(), stretch, features) == pytest.approx([36.0], abs=0.1)


def test_another_voice_is_no_change_of_activations():
    stretch, features = stretch_of([6.0], louder_db=4.0)
    voice = torch.arange(len(features))[:, None].gt(70) * torch.full((1, 12), 2.0)
    heard = torch.cat([torch.ones_like(features), voice], dim=1)
    assert find_changes(MeanModel(), stretch, heard) == []


def test_no_part_is_shorter_than_the_least():
    for turns_s in ([0.8], [11.3], [5.0, 5.9]):
        edges = [30.0, *changes(turns_s), 42.0]
        assert min(np.diff(edges)) >= LEAST_S
    assert changes([1.4], length_s=2.8) == []


def test_cuts_that_are_known_stay_and_take_the_place_of_changes_beside_them():
    assert changes([6.0], cuts_s=[36.4]) == [36.4]
    found = changes([3.0, 9.0], cuts_s=[36.0])
    assert found == pytest.approx([33.0, 36.0, 39.0], abs=STEP_S)


def test_more_sensitivity_finds_more():
    counts = [len(changes([4.0, 8.0], louder_db=1.5, sensitivity=x)) for x in (0.0, 0.5, 1.0)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
