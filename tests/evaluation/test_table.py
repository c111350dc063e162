"""The table of an evaluation: its figures, what is missing, the metric that ranks the clips."""

from auricle.evaluation.assessment import ranking
from auricle.evaluation.table import figure, missing_lines
from auricle.metrics.scores import Missing, Score


def test_clips_are_ranked_by_the_best_metric_there_is_whatever_its_label():
    scores = [Score("CIDEr-D", 1.0, (1.0,)), Score("SPIDEr (spice-py)", 1.0, (1.0,))]
    assert ranking(scores) == scores[1]
    assert ranking([Score("Distinct-1", 0.5)]) is None


def test_metrics_that_lack_the_same_share_a_line():
    lacking = [Missing(name, "no parser", "fetch it") for name in ("SPICE", "SPIDEr")]
    assert missing_lines(lacking) == ["SPICE, SPIDEr: no parser; fetch it"]


def test_figures():
    assert [figure(v) for v in (0.1234, 1.0, 636.0, 1141.0, 12.25)] == [
        "0.123", "1.000", "636", "1,141", "12.250",
    ]  # fmt: skip
