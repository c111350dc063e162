"""Band powers: of pieces as of the whole, and in the units that they claim."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.timeline.levels import BANDS, RANGE_HZ, STEP_S, BandPower, decibels

RATE = 16_000


def powers(pieces):
    meter = BandPower(RATE)
    return np.concatenate([*(meter.add(piece) for piece in pieces), meter.end()])


@pytest.mark.parametrize("pieces", [2, 7, 501])
def test_pieces_give_the_powers_of_the_whole(pieces):
    sound = np.random.default_rng(0).standard_normal(RATE + 123).astype(np.float32)
    whole = powers([sound])
    assert whole.shape == (-(-len(sound) // round(STEP_S * RATE)), BANDS)
    assert powers(np.array_split(sound, pieces)) == pytest.approx(whole, rel=1e-4)


def test_bands_add_up_to_the_mean_square():
    noise = np.random.default_rng(0).standard_normal(RATE * 4).astype(np.float32) * 0.1
    heard = (RANGE_HZ[1] - RANGE_HZ[0]) / (RATE / 2)  # of white noise
    assert decibels(powers([noise])[:-2].sum(axis=1).mean()) == pytest.approx(
        -20 + 10 * np.log10(heard), abs=0.2
    )


def test_a_tone_is_in_one_band():
    time_s = np.arange(RATE) / RATE
    for hz in (100, 1000, 5000):
        tone = (0.5 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)
        found = powers([tone])[5:-5].mean(axis=0)
        assert found.max() > 0.9 * found.sum() or np.sort(found)[-2:].sum() > 0.95 * found.sum()
        assert found.sum() == pytest.approx(0.125, rel=0.02)


def test_nothing_has_no_frames():
    assert powers([np.zeros(0, np.float32)]).shape == (0, BANDS)
