"""Pseudo-recordings: events in their order, at their levels, from real and borrowed tracks."""

import numpy as np
import pytest

from auricle.tiny.pseudo import Event, PseudoRecordings, Scene
from auricle.tiny.tracks import Track
from auricle.training.config import PseudoConfig

CLASSES = 6  # 0 and 1 have tracks, 2 is a kind of 0 without any
QUIET = PseudoConfig(
    level_loss=0.0,
    level_spread=0.0,
    faint_loss=0.0,
    dropped=0.0,
    unmentioned=0.0,
    intruders=0.0,
    noise=0.0,
    clean=0.0,
    full_length=1.0,
)


def make(config: PseudoConfig) -> PseudoRecordings:
    rng = np.random.default_rng(0)
    tracks = []
    for index in (0, 1):
        for _ in range(8):
            odds = rng.normal(-9.0, 0.5, (12, CLASSES)).astype(np.float32)
            odds[:, index] = 4.0
            tracks.append(Track(odds, (index,)))
    ancestors = np.zeros((CLASSES, CLASSES), dtype=bool)
    ancestors[2, 0] = True
    kinship = np.eye(CLASSES, dtype=np.float32)
    kinship[2, 0] = kinship[0, 2] = 0.9
    labels = np.zeros((4, CLASSES), dtype=np.float32)
    labels[:, 2] = 1.0
    return PseudoRecordings(tracks, Kinds(ancestors), labels, kinship, config)


class Kinds:
    """The part of an Ontology that pseudo-recordings read."""

    def __init__(self, ancestors: np.ndarray) -> None:
        self.ancestors = ancestors

    def __len__(self) -> int:
        return len(self.ancestors)


def scene(*orders: tuple[int, int]) -> Scene:
    """Events (class, order)."""
    events = [Event(order, False, np.array([c]), np.ones(1)) for c, order in orders]
    return Scene(tuple(events), np.array([3]), np.ones(1))


def test_events_sound_in_the_order_told():
    pseudo = make(QUIET)
    first, second = [], []
    for seed in range(40):
        mix = pseudo.draw(scene((0, 0), (1, 1)), np.random.default_rng(seed))
        assert mix.shape == (20, CLASSES)
        when = np.arange(20)
        first.append(np.average(when, weights=mix[:, 0] > -3))
        second.append(np.average(when, weights=mix[:, 1] > -3))
    assert np.mean(first) < np.mean(second) - 5


def test_a_class_without_tracks_borrows_and_keeps_its_ancestors():
    pseudo = make(QUIET)
    peaks = [
        pseudo.draw(scene((2, 0)), np.random.default_rng(seed)).max(axis=0) for seed in range(20)
    ]
    mean = np.mean(peaks, axis=0)
    assert mean[2] > -1.0
    assert mean[0] > -1.0  # what class 2 is a kind of
    assert mean[1] < mean[2] - 0.5  # only now and then is the donor a class of another kind
    assert mean[3:].max() < -5.0


def test_louder_losses_weaken_every_class():
    weak = make(PseudoConfig(**{**vars(QUIET), "level_loss": 3.0}))
    strong = make(QUIET)
    for seed in range(5):
        difference = strong.draw(scene((0, 0)), np.random.default_rng(seed)).max(axis=0)
        difference -= weak.draw(scene((0, 0)), np.random.default_rng(seed)).max(axis=0)
        assert difference == pytest.approx(np.full(CLASSES, 3.0), abs=0.1)


def test_the_same_generator_gives_the_same_recording_and_lengths_vary():
    pseudo = make(PseudoConfig())
    drawn = [pseudo.draw(scene((0, 0)), np.random.default_rng(7)) for _ in range(2)]
    assert np.array_equal(*drawn)
    lengths = {len(pseudo.draw(scene((1, 0)), np.random.default_rng(s))) for s in range(60)}
    assert max(lengths) == 20
    assert len(lengths) > 8
