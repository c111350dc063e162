"""Our own fluency detector: verdicts, files, training, measures."""

import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from auricle.errors import ModelError, TrainingError
from auricle.text.fluency import CLASSES, default_detector, is_fluent, load_detector
from auricle.text.fluency.network import FluencyConfig, FluencyNetwork, Words, repetitions
from auricle.text.fluency.own import BUNDLED, OwnDetector
from auricle.tiny.fluency import (
    FluencyTraining,
    agreement,
    broken_captions,
    detection,
    false_alarms,
    split,
    train_detector,
)

WHOLE = (
    "a dog barks while rain falls",
    "rain falls",
    "a clock ticks over and over",
    "A man is speaking, and birds are chirping in the background.",
    "An engine idles loudly followed by a horn honking twice",
    "Keys jingle as a door is opened and closed",
)
BROKEN = {
    "a man speaks and the": "add_tail",
    "Water is running while a": "add_tail",
    "wind blows and a": "add_tail",
    "a dog dog barks": "repeat_event",
    "a dog barks and barks": "repeat_event",
    "a man speaks and a man speaks and a man speaks": "repeat_event",
    "birds are chirping and birds are chirping": "repeat_event",
    "a dog barks loudly loudly": "repeat_adv",
    "an engine runs in the background in the background": "repeat_adv",
    "a man is and a dog barks": "remove_verb",
}


@pytest.mark.parametrize("caption", WHOLE)
def test_whole_captions_pass(caption):
    assert is_fluent(caption)


@pytest.mark.parametrize(("caption", "kind"), BROKEN.items())
def test_broken_captions_are_found_and_named(caption, kind):
    assert not is_fluent(caption)
    probabilities = default_detector().probabilities([caption])[0]
    assert CLASSES[int(probabilities[:-1].argmax())] == kind


def test_a_caption_of_no_or_one_word_is_broken_off():
    assert default_detector().fluent(["", "dog", " . "]) == [False, False, False]


def test_capitals_and_punctuation_make_no_difference():
    plain = default_detector().probabilities(["a man speaks while a highpitched horn honks and"])
    written = default_detector().probabilities(
        ["A man speaks, while a high-pitched horn honks; and ..."]
    )
    np.testing.assert_array_equal(plain, written)


def test_a_caption_alone_and_among_others_is_judged_alike():
    texts = [*WHOLE, *BROKEN, "dog", "rain falls " * 40]
    together = default_detector().probabilities(texts)
    assert (together.shape, together.dtype) == ((len(texts), 6), np.float32)
    alone = np.concatenate([default_detector().probabilities([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_array_equal(default_detector().error(texts), together[:, -1])
    assert default_detector().probabilities([]).shape == (0, 6)


def test_the_detector_says_what_it_is_and_is_small():
    assert default_detector().name == "auricle fluency (own detector)"
    assert default_detector() is default_detector()
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < 8e6
    assert "not the FENSE error detector" in (BUNDLED / "README.md").read_text(encoding="utf-8")


def test_a_saved_detector_judges_the_same(tmp_path):
    default_detector().save(tmp_path / "copy")
    copy = load_detector(tmp_path / "copy")
    assert copy.threshold == default_detector().threshold
    np.testing.assert_array_equal(copy.error(WHOLE), default_detector().error(WHOLE))


def test_a_folder_that_holds_no_detector_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"not a fluency detector.*config\.json"):
        load_detector(tmp_path)
    default_detector().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"format": "other"}))
    with pytest.raises(ModelError, match="auricle-fluency-1"):
        load_detector(tmp_path)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match=r"fluent-9.*auricle, fense-base, fense-tiny"):
        load_detector("fluent-9")


def test_repetitions_tell_how_far_back_and_how_long():
    assert repetitions("a dog barks and a dog barking".split()) == [
        (0, 0), (0, 0), (0, 0), (0, 0), (4, 1), (4, 2), (4, 3),
    ]  # fmt: skip
    assert repetitions("go go go".split()) == [(0, 0), (1, 1), (1, 1)]


def test_padding_changes_no_logits():
    torch.manual_seed(0)
    network = FluencyNetwork(FluencyConfig(buckets=64, dim=8)).eval()
    short, long = "rain falls", "a dog barks while a long rain falls on a roof"
    alone = network(Words.of([short], 64))
    padded = network(Words.of([short, long], 64))
    torch.testing.assert_close(padded[0, : alone.shape[1]], alone[0])
    assert (padded[0, alone.shape[1] :] < -20).all()


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
