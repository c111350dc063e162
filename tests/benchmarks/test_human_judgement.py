"""Accuracy beside human judgements, where the shared data are there: no lower than was measured."""

import runpy

import numpy as np
import pytest

from auricle.text.fluency import default_detector
from tests.helpers.paths import ROOT

BENCHMARK = runpy.run_path(str(ROOT / "benchmarks/human_judgement.py"))
Judged, Pair, Scores = (BENCHMARK[name] for name in ("Judged", "Pair", "Scores"))
there = pytest.mark.skipif(not BENCHMARK["DATA"].is_dir(), reason="no FENSE-Eval beside the clone")

# Measured before, of all pairs; near-ties of BLEU and ROUGE-L go either way.
LOWEST = {
    "audiocaps": {"bleu": 61.5, "rouge_l": 64.8, "cider_d": 70.9},
    "clotho": {"bleu": 60.4, "rouge_l": 60.4, "cider_d": 63.1},
}
LOWEST_SLOW = {
    "audiocaps": {"meteor": 71.6, "spice": 63.4, "sbert": 80.5, "fense": 85.9},
    "clotho": {"meteor": 65.3, "spice": 57.5, "sbert": 69.7, "fense": 75.0},
}


def check(name, lowest):
    judged = Judged.read(name)
    scores = Scores(judged, default_detector())
    for metric, bound in lowest.items():
        assert judged.accuracies(getattr(scores, metric))[-1] > bound, metric


@there
@pytest.mark.parametrize("name", LOWEST)
def test_metrics_are_no_less_accurate_than_measured(name):
    check(name, LOWEST[name])


@there
@pytest.mark.slow
@pytest.mark.parametrize("name", LOWEST_SLOW)
def test_slow_metrics_are_no_less_accurate_than_measured(name):
    check(name, LOWEST_SLOW[name])


@there
def test_the_published_detector_has_one_verdict_of_each_caption():
    """Its probabilities are read in the order in which they were written."""
    for name in LOWEST:
        judged = Judged.read(name)
        seen = {}
        for side in (0, 1):
            for pair, error in zip(judged.pairs, judged.detector[side], strict=True):
                assert seen.setdefault(pair.captions[side], error) == pytest.approx(error, abs=1e-3)


@there
def test_our_detector_agrees_with_people_and_with_the_published_one():
    sets = [Judged.read(name) for name in LOWEST]
    lines = "\n".join(BENCHMARK["verdict_lines"](default_detector(), sets))
    ours = next(row.split(" | ") for row in lines.splitlines() if row.startswith("| auricle"))
    assert float(ours[3]) >= 0.835  # F1; the published detector has 0.854
    assert "| published, base | 0.968 | 0.764 | 0.854 |" in lines
    assert float(lines.partition("kappa of the two: ")[2][:4]) >= 0.82


def test_references_leave_out_the_caption_judged_and_are_repeated_to_four():
    people = ("a", "b", "c", "d", "e")
    assert Pair("HC", ("a", "b"), people, 1).rivals(1) == ["a", "c", "d", "e"]
    assert Pair("HM", ("a", "x"), people, 1).rivals(1) == ["b", "c", "d", "e"]
    assert Pair("HI", ("a", "x"), people[:4], 1).rivals(0) == ["b", "c", "d", "b"]


def test_ties_are_wrong_and_cancelled_votes_do_not_count():
    votes = {"HC": (3, -1, 0), "HI": (1,), "HM": (2,), "MM": (-1, -1)}
    pairs = [Pair(facet, ("a", "b"), ("a",) * 5, v) for facet, vs in votes.items() for v in vs]
    judged = Judged(pairs[:5], pairs[5:], np.zeros((2, 7)))
    scores = np.array([[1, 1, 1, 0.5, 0, 0, 1], [0, 0, 0, 0.5, 1, 1, 0]])
    assert judged.accuracies(scores) == pytest.approx([50, 0, 0, 50, 100 * 2 / 6])
