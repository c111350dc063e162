"""The bootstrap: intervals against theory, paired differences of identity and of a true null."""

import numpy as np
import pytest

from auricle.metrics.bootstrap import RESAMPLES, Sums, bootstrap, difference, intervals, resample


def test_an_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [bootstrap(rng.exponential(size=60), seed=i) for i in range(200)]
    covered = np.mean([low <= 1.0 <= high for _, low, high in found])
    assert 0.88 < covered <= 0.99  # theory: 0.95, a little less for few skewed values
    width = np.mean([high - low for _, low, high in found])
    assert width == pytest.approx(2 * 1.96 / np.sqrt(60), rel=0.1)


def test_an_interval_is_fixed_by_its_seed_and_weights_count():
    scores, weights = np.linspace(0, 1, 9) ** 2, [1, 3, 1, 1, 2, 1, 1, 4, 1]
    found = bootstrap(scores, weights)
    assert found == bootstrap(scores, weights)
    assert found.low != bootstrap(scores, weights, seed=1).low
    assert found.value == pytest.approx(np.average(scores, weights=weights))
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0
    assert bootstrap([0.3]) == pytest.approx((0.3, 0.3, 0.3))
    with pytest.raises(ValueError, match="at least one"):
        bootstrap([])


def test_a_figure_against_itself_does_not_differ():
    scores = np.random.default_rng(0).random(50)
    assert difference(Sums.mean(scores), Sums.mean(scores)) == (0.0, 0.0, 0.0, 1.0)


def test_p_values_of_a_true_null_are_uniform():
    ps = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        clip = rng.exponential(size=60)  # both systems find the same clips hard
        first, second = clip + rng.normal(size=(2, 60))
        ps.append(difference(Sums.mean(first), Sums.mean(second), seed).p)
    shares = [np.mean(np.array(ps) <= level) for level in (0.05, 0.25, 0.5, 0.75, 0.95)]
    assert shares == pytest.approx([0.05, 0.25, 0.5, 0.75, 0.95], abs=0.1)
    steps = np.arange(1, 201) / 200
    assert np.abs(np.sort(ps) - steps).max() < 1.63 / np.sqrt(200)  # Kolmogorov-Smirnov, 1 %


def test_a_true_difference_is_found_by_pairing_alone():
    rng = np.random.default_rng(0)
    clip = 10 * rng.normal(size=100)
    first, second = clip + 0.5 + 0.5 * rng.normal(size=100), clip
    found = difference(Sums.mean(first), Sums.mean(second))
    assert found.p == pytest.approx(1 / (1 + RESAMPLES))
    assert found.low < 0.5 < found.high
    apart = intervals([Sums.mean(first), Sums.mean(second)])
    assert apart[0].low < apart[1].high  # unpaired intervals overlap


def test_fast_draws_equal_slow_ones():
    rng = np.random.default_rng(3)
    scores, weights = rng.random((2, 7))
    found = resample([Sums.mean(scores), Sums.mean(scores, weights)], seed=5)
    drawn = np.random.default_rng(5).integers(7, size=(100, 7))
    assert found[0, :100] == pytest.approx([scores[row].mean() for row in drawn])
    slow = [np.average(scores[row], weights=weights[row]) for row in drawn]
    assert found[1, :100] == pytest.approx(slow)
    low, high = np.quantile(found[0], (0.025, 0.975))
    assert bootstrap(scores, seed=5) == pytest.approx((scores.mean(), low, high))


def test_figures_of_different_clips_are_refused():
    with pytest.raises(ValueError, match="all figures at once"):
        resample([Sums.mean([1.0]), Sums.mean([1.0, 2.0])])
    with pytest.raises(ValueError, match="at least one clip"):
        intervals([Sums.mean([])])
