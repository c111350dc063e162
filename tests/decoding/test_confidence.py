"""Confidence of a caption: the calibration, its file, captions that are declined."""

import math

import pytest

from auricle.decoding.confidence import (
    Calibration,
    Feature,
    HeldOut,
    confidence,
    declined,
    load_calibration,
    save_calibration,
)
from auricle.errors import ModelError
from auricle.fetch.names import BUNDLED
from tests.helpers.candidates import candidate

MEASURED = HeldOut(0.2, 0.25, 0.01, 0.09, 0.05, 0.7)
FEATURES = (Feature("log_likelihood", -1.0, 0.5, 2.0), Feature("similarity", 0.5, 0.1, 1.0))
CALIBRATION = Calibration(FEATURES, 0.5, "nucleus", 0.5, "val.jsonl", 100, 0.4, MEASURED)


def test_confidence_is_the_logistic_of_the_weighted_terms():
    found = confidence(CALIBRATION, candidate(-0.75, 0.4))
    assert found == pytest.approx(1 / (1 + math.exp(-(0.5 + 2 * 0.5 - 1))))
    assert confidence(CALIBRATION, candidate(-0.75, None)) == pytest.approx(
        1 / (1 + math.exp(-1.5))
    )
    assert confidence(CALIBRATION, candidate(-1e9)) == pytest.approx(0.0)
    assert confidence(CALIBRATION, candidate(1e9)) == pytest.approx(1.0)


def test_a_declined_candidate_says_why():
    assert declined(candidate(), 0.214, 0.3).reason == "confidence 0.21 under 0.3"


def test_a_calibration_is_read_as_it_was_written(tmp_path):
    assert load_calibration(tmp_path) is None
    save_calibration(tmp_path, CALIBRATION)
    assert load_calibration(tmp_path) == CALIBRATION


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "{", "not a JSON object"),
        (lambda _: "[]", "not a JSON object"),
        (lambda text: text.replace('"bias"', '"bios"'), "did you mean 'bias'"),
        (lambda text: text.replace('"similarity"', '"length"'), "log_likelihood or similarity"),
        (lambda text: text.replace('"deviation": 0.1', '"deviation": 0'), "above 0"),
    ],
)
def test_a_broken_calibration_is_refused(tmp_path, change, message):
    save_calibration(tmp_path, CALIBRATION)
    path = tmp_path / "calibration.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(ModelError, match=message):
        load_calibration(tmp_path)


def test_the_bundled_calibration_says_what_it_was_fitted_on():
    found = load_calibration(BUNDLED / "tiny")
    assert found is not None
    assert found.clips >= 100
    assert 0 < found.held_out.brier < found.held_out.base_brier
    sure = [confidence(found, candidate(-1.6, 0.2)), confidence(found, candidate(-0.5, 0.9))]
    assert sure[0] < 0.1 < 0.9 < sure[1]
