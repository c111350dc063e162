"""Confidence fitted on clips: the regression, its measures against slow versions, the diagram."""

import math
from dataclasses import replace

import numpy as np
import pytest

from auricle.decoding.confidence import confidence
from auricle.errors import DataError
from auricle.report.plots import draw_reliability
from auricle.tuning import confidence as tuning
from auricle.tuning.clips import ClipCandidates
from auricle.tuning.confidence import RIDGE, fit_confidence, logistic, measure_confidence, regress
from auricle.tuning.reliability import auc, bins, calibration_error, reliability
from tests.helpers.candidates import candidate

RESAMPLES = 200  # enough for what is asserted here


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("auricle.tuning.reliability.RESAMPLES", RESAMPLES)


def test_the_regression_is_the_minimum_of_its_penalised_loss():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(60), rng.standard_normal((60, 2))])
    right = rng.random(60) < 1 / (1 + np.exp(-x @ [0.3, 1.5, -0.7]))

    def loss(weights):
        p = 1 / (1 + np.exp(-x @ weights))
        return -np.log(np.where(right, p, 1 - p)).sum() + RIDGE / 2 * (weights[1:] ** 2).sum()

    found = logistic(x, right)
    for size in (1e-4, 1e-2, 1.0):
        others = found + size * rng.standard_normal((100, 3))
        assert all(loss(other) > loss(found) for other in others)


def test_separable_outcomes_do_not_break_the_regression():
    captions = [candidate(similarity=0.1 * (i >= 10) + 0.001 * i) for i in range(20)]
    features, bias = regress(captions, np.arange(20) >= 10)
    assert [feature.name for feature in features] == ["similarity"]  # the others do not vary
    assert 0 < features[0].weight < 10
    assert math.isfinite(bias)


def test_a_term_never_lowers_confidence_by_rising():
    rng = np.random.default_rng(1)
    captions = [candidate(rng.random(), rng.random(), rng.random()) for _ in range(200)]
    right = np.array([c.similarity - c.agreement > 0 for c in captions])
    assert {feature.name for feature in regress(captions, right)[0]} <= {
        "similarity",
        "log_likelihood",
    }
    nothing = [replace(c, similarity=None, agreement=None) for c in captions]
    assert "similarity" not in {feature.name for feature in regress(nothing, right)[0]}


def test_measures_equal_their_definitions():
    rng = np.random.default_rng(2)
    sure = rng.integers(0, 8, 40) / 8
    right = (rng.random(40) < sure).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a in sure[right > 0] for b in sure[right == 0]]
    assert auc(sure, right) == pytest.approx(np.mean(pairs))
    assert math.isnan(auc(sure, np.ones(40)))
    parts = bins(sure, right)
    assert [part.clips for part in parts] == [8] * 5
    order = np.argsort(sure, kind="stable").reshape(5, 8)
    gaps = [abs(sure[rows].mean() - right[rows].mean()) for rows in order]
    assert calibration_error(sure, right) == pytest.approx(np.mean(gaps))
    groups = [str(i) for i in range(40)]
    found = reliability(sure, right, groups)
    assert found.brier.value == pytest.approx(np.mean((sure - right) ** 2))
    assert found.base_brier.value == pytest.approx(right.var())
    assert found.gain.value == pytest.approx(found.base_brier.value - found.brier.value)
    for low, high in (found.brier[1:], found.auc[1:], found.by_chance[1:]):
        assert low < high
    together = reliability(sure, right, [str(i // 4) for i in range(40)]).brier
    assert together.value == found.brier.value
    assert together.low != found.brier.low


def test_true_probabilities_are_within_chance_and_false_ones_are_not():
    rng = np.random.default_rng(3)
    sure = rng.random(300)
    right = rng.random(300) < sure
    groups = [str(i) for i in range(300)]
    true, false = reliability(sure, right, groups), reliability(1 - sure, right, groups)
    assert true.calibration_error < true.by_chance.high
    assert true.verdict.startswith("confidence says more than the base rate")
    assert false.calibration_error > false.by_chance.high
    assert "WORSE" in false.verdict
    guessed = reliability(np.full(300, right.mean()), right, groups)
    assert guessed.verdict.startswith("confidence is no better than the base rate that 300 clips")


def heard(count=80, seed=0):
    """Clips whose similarity tells how often they are right."""
    rng = np.random.default_rng(seed)
    return [
        ClipCandidates(
            str(number),
            str(number),
            ("x",),
            (candidate(-rng.random(), rng.random(), None, f"caption {number}"),),
        )
        for number in range(count)
    ]


@pytest.fixture
def judged(monkeypatch):
    """A caption is right with the probability that its similarity says, more or less."""
    draw = np.random.default_rng(7)

    def best_similarity(clips):
        chances = [clip.candidates[0].similarity for clip in clips]
        return [np.array([0.5 + 2 * (chance - draw.random())]) for chance in chances]

    monkeypatch.setattr(tuning, "best_similarity", best_similarity)


def test_what_tells_is_found_and_measured_on_held_out_clips(judged):
    calibration, found = fit_confidence(heard(200), "val.jsonl", "nucleus", seed=1)
    weights = {feature.name: feature.weight for feature in calibration.features}
    assert weights["similarity"] > 3 * weights.get("log_likelihood", 0.0)
    assert found.gain.low > 0
    assert calibration.held_out.brier == pytest.approx(found.brier.value, abs=1e-4)
    assert (calibration.clips, calibration.method) == (200, "nucleus")
    mean = np.mean([confidence(calibration, clip.candidates[0]) for clip in heard(200)])
    assert mean == pytest.approx(calibration.right_share, abs=1e-3)
    assert measure_confidence(heard(200, seed=9), calibration).gain.low > 0


@pytest.mark.parametrize(("cosine", "which"), [(0.9, "every"), (0.1, "no")])
def test_captions_of_one_kind_cannot_be_calibrated_on(monkeypatch, cosine, which):
    monkeypatch.setattr(tuning, "best_similarity", lambda clips: [np.array([cosine])] * len(clips))
    with pytest.raises(DataError, match=f"{which} caption counts as right at cosine 0.5"):
        fit_confidence(heard(20), "val.jsonl", "nucleus")


def test_right_is_what_comes_near_enough_to_a_reference(monkeypatch):
    monkeypatch.setattr(
        tuning, "best_similarity", lambda clips: [np.array([0.1 * i]) for i in range(len(clips))]
    )
    assert tuning.are_right(heard(10), 0.7).tolist() == [False] * 7 + [True] * 3


def test_the_diagram_is_a_picture(tmp_path):
    rng = np.random.default_rng(0)
    sure = rng.random(50)
    found = reliability(sure, rng.random(50) < sure, [str(i) for i in range(50)])
    draw_reliability(found, "a model on clips", tmp_path / "new" / "diagram.png")
    assert (tmp_path / "new" / "diagram.png").read_bytes().startswith(b"\x89PNG")
