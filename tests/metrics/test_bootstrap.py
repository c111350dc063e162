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
    assert found.p == pytest.approx(2 / (1 + RESAMPLES))
    assert found.low < 0.5 < found.high
    apart = intervals([Sums.mean(first), Sums.mean(second)])
    assert apart[0].low < apart[1].high  # unpaired intervals overlap


@pytest.mark.parametrize("clips", [2, 3, 7, 30, 200])
def test_p_and_interval_never_contradict_each_other(clips):
    certain = 0
    for seed in range(80):
        rng = np.random.default_rng([clips, seed])
        first = rng.exponential(size=clips)
        effect = rng.choice([0.0, 0.1, 0.3, 1.0, 3.0]) / np.sqrt(clips)
        second = first + effect + rng.normal(size=clips)
        match seed % 5:
            case 0:  # ties
                first, second = (first > 1).astype(float), (second > 1).astype(float)
            case 1:  # few different values
                first, second = first.round(), second.round()
            case 2:  # one clip differs
                second = first.copy()
                second[0] += 1
        if seed % 2:
            pair = Sums.share(first > 1), Sums.share(second > 1)
        else:
            pair = Sums.mean(first), Sums.mean(second, rng.random(clips) if seed % 3 else None)
        found = difference(*pair, seed)
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0), found
        assert found.low <= found.high
        assert 2 / (1 + RESAMPLES) <= found.p <= 1
        other = difference(pair[1], pair[0], seed)
        assert other == pytest.approx((-found.value, -found.high, -found.low, found.p))
        certain += found.p < 0.05
    assert clips == 2 or 0 < certain < 80


def test_the_interval_of_a_difference_is_that_of_the_sorted_resamples():
    rng = np.random.default_rng(0)
    first, second = Sums.mean(rng.normal(size=50)), Sums.mean(rng.normal(size=50))
    gaps = sorted(np.subtract(*resample([first, second], seed=4)))
    found = difference(first, second, seed=4)
    assert (found.low, found.high) == (gaps[49], gaps[-50])  # 2.5 % of 2000
    assert found.p == pytest.approx(
        2 * (1 + min(sum(g <= 0 for g in gaps), sum(g >= 0 for g in gaps))) / 2001
    )


def test_resamples_without_a_judged_clip_do_not_count():
    known = np.array([1.0, 0.0, 0.0])
    found = difference(Sums.mean([0.7, 0, 0], known), Sums.mean([0.2, 0, 0], known))
    assert found[:3] == pytest.approx((0.5, 0.5, 0.5))


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
