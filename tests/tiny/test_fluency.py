"""The fluency detector's training and measures."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from auricle.errors import TrainingError
from auricle.text.fluency import default_detector
from auricle.text.fluency.network import FluencyConfig
from auricle.text.fluency.own import OwnDetector
from auricle.tiny.fluency import (
    FluencyTraining,
    agreement,
    broken_captions,
    detection,
    false_alarms,
    split,
    train_detector,
)
from tests.helpers.captions import WHOLE


def _captions(count: int) -> list[str]:
    rng = random.Random(0)
    who = "a man|a woman|a dog|the engine|a small bird|rain|water|someone".split("|")
    what = "speaks|is singing|runs loudly|barks twice|chirps|is falling|splashes quickly".split("|")
    joints = ("and", "while", "as", "followed by")
    events = [[f"{rng.choice(who)} {rng.choice(what)}" for _ in range(2)] for _ in range(count)]
    return [f"{a} {rng.choice(joints)} {b}" for a, b in events]


SMALL = FluencyConfig(buckets=512, dim=32)


def test_training_learns_and_keeps_some_captions_for_the_threshold():
    captions = _captions(2000)
    options = FluencyTraining(steps=200, batch_size=32, held_out=100, learning_rate=5e-3)
    told = []
    detector = train_detector(captions, options, SMALL, lambda *numbers: told.append(numbers))
    assert [step for step, _ in told] == [100, 200]
    texts = ["a man speaks and a woman is singing", "a man speaks and the", "rain chirps chirps"]
    errors = detector.error(texts)
    assert min(errors[1:]) > 0.8 > 0.5 > errors[0]
    kept, learned = split(captions, options)
    assert len(kept) == 100
    assert not set(kept) & set(learned)
    assert 0 < np.mean(detector.error(kept) > detector.threshold) <= 0.011


def test_a_seed_fixes_the_detector():
    captions, options = _captions(300), FluencyTraining(steps=5, batch_size=8, held_out=20)
    first, again = (train_detector(captions, options, SMALL) for _ in range(2))
    np.testing.assert_array_equal(first.error(captions), again.error(captions))
    assert first.threshold == again.threshold
    other = train_detector(captions, replace(options, seed=1), SMALL)
    assert (other.error(captions) != first.error(captions)).any()


def test_too_few_captions_cannot_be_trained_on():
    with pytest.raises(TrainingError, match=r"1 distinct captions.*at least 4000"):
        train_detector(["rain falls", "Rain falls."])


class _Stub(OwnDetector):
    """Error probabilities as given."""

    threshold = 0.5

    def __init__(self, errors):
        self.errors = errors

    def error(self, texts):
        return np.array([self.errors[text] for text in texts], np.float32)


def test_measures_count_what_they_say():
    stub = _Stub({"a": 0.1, "b": 0.6, "c": 0.2, "d": 0.9, "e": 0.7})
    assert false_alarms(stub, ["a", "b"]) == 0.5
    found = detection(stub, ["a", "b"], {"add_tail": ["c", "d"], "remove_verb": ["e"]})
    assert (found["add_tail"].auc, found["add_tail"].recall) == (0.75, 0.5)
    assert (found["remove_verb"].auc, found["remove_verb"].recall) == (1.0, 1.0)
    assert found["error"].count == 3
    assert found["error"].auc == pytest.approx(5 / 6)
    same = agreement(stub, list("abcde"), np.array([0.1, 0.2, 0.95, 0.99, 0.3]), 0.9)
    assert (same.flagged, same.auc, same.recall) == (2, pytest.approx(4 / 6), 0.5)
    assert same.precision == pytest.approx(1 / 3)
    none = agreement(stub, list("ab"), np.array([0.1, 0.2]), 0.9)
    assert math.isnan(none.auc)
    assert math.isnan(none.recall)


def test_the_bundled_detector_tells_errors_it_has_not_seen():
    """A small version of benchmarks/fluency.py, on captions written for this test."""
    from auricle.text.normalise import as_judged
    from auricle.tiny.corruptions import Corruptor

    corruptor = Corruptor(_captions(500) + list(WHOLE) * 3)
    whole = [as_judged(caption) for caption in _captions(300)]
    found = detection(default_detector(), whole, broken_captions(whole, corruptor))
    assert found["error"].count > 600
    for kind in ("add_tail", "repeat_adv"):
        assert found[kind].auc > 0.95
