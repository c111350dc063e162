"""Mixed recordings have the level difference that was asked for, whichever is the longer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from auricle.audio.level import level_dbfs
from auricle.audio.mixing import draw, follow, mix, share_of_room, shares_of_time


def noise(samples, level_dbfs, seed=0):
    waveform = np.random.default_rng(seed).standard_normal(samples)
    return (waveform / waveform.std() * 10 ** (level_dbfs / 20)).astype(np.float32)


def parts(first, second, mixed, offset):
    """How loud either recording is in ``mixed``: the factors that explain it best."""
    size = max(len(first), len(second))
    columns = np.zeros((size, 2))
    for column, part in enumerate((first, second)):
        start = 0 if len(part) == size else round(offset * (size - len(part)))
        columns[start : start + len(part), column] = part
    factors, residual, _, _ = np.linalg.lstsq(columns, mixed.astype(np.float64), rcond=None)
    assert residual[0] < 1e-8 * np.square(mixed).sum()  # nothing else is in it
    return factors


@pytest.mark.parametrize(("first_s", "second_s"), [(3, 2), (2, 3)])
def test_measured_levels_differ_uniformly_by_up_to_5_db(first_s, second_s):
    first, second = noise(first_s * 1000, -20, 1), noise(second_s * 1000, -45, 2)
    asked, measured, offsets = [], [], []
    for number in range(300):
        level_db, offset = draw(7, "clip", number)
        factors = parts(first, second, mix(first, second, level_db, offset), offset)
        asked.append(level_db)
        offsets.append(offset)
        measured.append(level_dbfs(first * factors[0]) - level_dbfs(second * factors[1]))
    np.testing.assert_allclose(measured, asked, atol=1e-3)
    assert stats.kstest(measured, stats.uniform(-5, 10).cdf).pvalue > 0.01
    assert stats.kstest(offsets, stats.uniform(0, 1).cdf).pvalue > 0.01


def test_the_first_keeps_its_level():
    first, second = noise(300, -30, 1), noise(200, -10, 2)
    factors = parts(first, second, mix(first, second, 4.0, 0.5), 0.5)
    assert factors[0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("offset", "start"), [(0.0, 0), (0.25, 50), (0.999999, 200), (1.0, 200)])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_shorter_lies_whole_inside_the_longer(offset, start, swapped):
    longer, shorter = np.zeros(300, np.float32), noise(100, -20)
    mixed = mix(*((shorter, longer) if swapped else (longer, shorter)), 0.0, offset)
    np.testing.assert_array_equal(mixed[start : start + 100], shorter)
    assert not mixed[:start].any()
    assert not mixed[start + 100 :].any()


@pytest.mark.parametrize(("first_s", "second_s"), [(3, 2), (2, 3)])
@pytest.mark.parametrize("level_db", [-5.0, 0.0, 5.0])
def test_one_follows_the_other_at_the_level_asked_for(first_s, second_s, level_db):
    first, second = noise(first_s * 1000, -20, 1), noise(second_s * 1000, -45, 2)
    both = follow(first, second, level_db)
    assert both.dtype == np.float32
    np.testing.assert_array_equal(both[: len(first)], first)
    after = both[len(first) :]
    assert len(after) == len(second)
    assert np.corrcoef(after, second)[0, 1] > 0.999999
    assert level_dbfs(first) - level_dbfs(after) == pytest.approx(level_db, abs=1e-3)


def test_where_they_meet_both_fade():
    ones = np.ones(10, np.float32)
    np.testing.assert_allclose(
        follow(ones, ones, 3.0, 4),  # without its mean it is silent, so nothing is scaled
        [*[1] * 6, 0.875, 0.625, 0.375, 0.125, 0.125, 0.375, 0.625, 0.875, *[1] * 6],
    )
    np.testing.assert_array_equal(follow(ones, ones[:3], 0, 20)[:7], ones[:7])
    assert np.abs(follow(noise(300, -1, 1), noise(200, -30, 2), -5.0)).max() == pytest.approx(1)


@pytest.mark.parametrize(
    ("lengths", "heard"),
    [
        ((6, 6), (5, 5)),
        ((30, 2), (8, 2)),
        ((2, 30), (2, 8)),
        ((4, 5), (4, 5)),
        ((10, 10), (5, 5)),
        ((5, 5), (5, 5)),
    ],
)
def test_both_are_heard_in_the_time_there_is(lengths, heard):
    assert shares_of_time(lengths, 10) == heard


def test_a_silent_recording_changes_nothing():
    loud, dither = noise(300, -20), noise(200, -90, 1)
    for first, second in ((loud, dither), (dither, loud), (loud, dither + 0.1)):
        mixed = mix(first, second, 5.0, 0.0)
        expected = loud.copy()
        expected[:200] += second if second is not loud else dither
        np.testing.assert_allclose(mixed, expected / max(1, np.abs(expected).max()), atol=1e-7)
    silent = np.zeros(10, np.float32)
    np.testing.assert_array_equal(mix(silent, silent, 0.0, 0.3), silent)


@pytest.mark.parametrize("level_db", [-5.0, 0.0, 5.0])
def test_clipping_is_scaled_away_and_the_difference_kept(level_db):
    first, second = noise(300, -1, 1), noise(200, -30, 2)
    mixed = mix(first, second, level_db, 0.5)
    assert mixed.dtype == np.float32
    assert np.abs(mixed).max() == pytest.approx(1)
    factors = parts(first, second, mixed, 0.5)
    assert factors[0] < 0.9
    levels = level_dbfs(first * factors[0]), level_dbfs(second * factors[1])
    assert levels[0] - levels[1] == pytest.approx(level_db, abs=1e-3)


def test_nothing_given_is_changed():
    first, second = noise(300, -20, 1), noise(200, -10, 2)
    copies = first.copy(), second.copy()
    mix(first, second, 3.0, 0.5)
    np.testing.assert_array_equal(first, copies[0])
    np.testing.assert_array_equal(second, copies[1])


def test_draws_depend_on_the_seed_alone():
    assert draw(0, 1, "a") == draw(0, 1, "a") == pytest.approx((4.99965, 0.33253), abs=1e-5)
    assert len({draw(0, epoch, clip) for epoch in range(3) for clip in ("a", "b", "\udcff")}) == 9
    levels = [abs(draw(number, range_db=2.0)[0]) for number in range(200)]
    assert 1.9 < max(levels) < 2


def test_seconds_become_a_share_of_the_room():
    assert share_of_room(0.5, (32_000, 16_000), 16_000) == 0.5
    assert share_of_room(0.5, (16_000, 32_000), 16_000) == 0.5
    assert share_of_room(9.0, (16_000, 32_000), 16_000) == 1
    assert share_of_room(1.0, (16_000, 16_000), 16_000) == 0
