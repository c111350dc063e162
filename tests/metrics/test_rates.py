"""Intervals of rates: how often they hold the true rate, where the bootstrap does not."""

from itertools import count

import numpy as np
import pytest

from auricle.metrics import evaluate
from auricle.metrics.bootstrap import Sums, bootstrap, intervals, proportion, rough, wilson
from auricle.metrics.evaluation import Evaluation
from auricle.metrics.registry import Measured
from auricle.metrics.scores import Score
from auricle.tuning.reliability import Bin


def binomial(n, p):
    """Probabilities [n + 1] of 0 to n hits."""
    ways = np.array([1.0, *np.cumprod((n - np.arange(n)) / (np.arange(n) + 1))])
    hits = np.arange(n + 1)
    return ways * p**hits * (1 - p) ** (n - hits)


@pytest.mark.parametrize("clips", [20, 50, 100])
def test_rare_rates_are_covered_as_stated_where_the_bootstrap_fails(clips):
    rates = [0.02, 0.05, 0.1]
    outcomes = [[1.0] * hits + [0.0] * (clips - hits) for hits in range(clips + 1)]
    kinds = {"wilson": proportion, "bootstrap": bootstrap}
    found = {kind: [of(items)[1:] for items in outcomes[:30]] for kind, of in kinds.items()}
    share = {
        kind: [
            sum(
                chance
                for chance, (low, high) in zip(binomial(clips, p), ranges, strict=False)
                if low <= p <= high
            )
            for p in rates
        ]
        for kind, ranges in found.items()
    }
    assert all(0.92 <= covered <= 0.98 for covered in share["wilson"])
    assert share["bootstrap"][0] < 0.9
    assert share["bootstrap"][0] < 0.4 or clips > 20  # 0.33: mostly there is no hit to draw again


def test_coverage_of_simulated_clips():
    rng = np.random.default_rng(0)
    for clips, rate in [(20, 0.05), (50, 0.03), (100, 0.02)]:
        drawn = [proportion(rng.random(clips) < rate) for _ in range(2000)]
        covered = np.mean([low <= rate <= high for _, low, high in drawn])
        assert 0.92 <= covered <= 0.98


def test_captions_of_a_clip_are_not_counted_as_independent():
    rng = np.random.default_rng(1)
    for alike in (0.5, 50.0):  # of a clip all are found or none; each for itself
        covered, width = [], []
        for _ in range(300):
            chance = rng.beta(0.3 * alike, 0.7 * alike, size=100)
            items = rng.binomial(5, chance) / 5
            _, low, high = proportion(items, [5] * 100)
            covered.append(low <= 0.3 <= high)
            width.append(high - low)
        assert 0.91 <= np.mean(covered) <= 0.99
        independent = np.subtract(*wilson(0.3, 500)[::-1])
        assert (np.mean(width) > 1.5 * independent) == (alike < 1)


def test_wilsons_interval_is_that_of_his_quadratic():
    for share, cases in [(0.1, 20), (0.5, 7), (0.0, 20), (1.0, 3), (1 / 3, 90)]:
        low, high = wilson(share, cases)
        for end in {low, high} - {0.0, 1.0}:  # |share - end| is 1.96 standard errors of end
            assert abs(share - end) == pytest.approx(1.959964 * (end * (1 - end) / cases) ** 0.5)
        assert 0.0 <= low <= share <= high <= 1.0
    assert Bin(0.4, 0.25, 12).interval() == wilson(0.25, 12)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_the_metrics_say_which_are_rates():
    said = ["a dog barks", "a dog barks and", "rain falls"] * 4
    found = evaluate(said, [["a dog"]] * 12, ["fluency", "statistics", "rouge-l"], training=said)
    rates = [m.score.name for m in found.measured if m.sums and m.sums.rate]
    assert [name.partition(" (")[0] for name in rates] == [
        "Fluency error rate", "Error: incomplete end", "Error: repeated event",
        "Error: repeated adverb", "Error: missing conjunction", "Error: missing verb",
        "Novel captions",
    ]  # fmt: skip
    for name in rates:
        assert found.intervals[name][1:] == wilson(found[name].corpus, 12)


def test_rates_and_means_keep_their_places():
    scores, hits = np.linspace(0, 1, 9), [1.0] + [0.0] * 8
    mean, rate = intervals([Sums.mean(scores), Sums.share(hits)])
    assert mean == bootstrap(scores)
    assert rate == proportion(hits) == (pytest.approx(1 / 9), *wilson(1 / 9, 9))
    with pytest.raises(ValueError, match="at least one"):
        proportion([])


def test_intervals_of_few_clips_are_called_rough():
    assert rough(40) == []
    assert "39 clips" in rough(39)[0]
    assert "1 clip:" in rough(1)[0]
    names = count()
    score = Score(f"S{next(names)}", 0.0, (0.0,) * 5)
    assert Evaluation.of(5, [Measured(score, Sums.share(score.items))]).intervals["S0"].high < 0.5
