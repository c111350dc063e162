"""Our own fluency detector: verdicts, files, network."""

import json

import numpy as np
import pytest
import torch

from auricle.errors import ModelError
from auricle.text.fluency import CLASSES, default_detector, is_fluent, load_detector
from auricle.text.fluency.network import FluencyConfig, FluencyNetwork, Words, repetitions
from auricle.text.fluency.own import BUNDLED
from tests.helpers.captions import WHOLE

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
