"""Settings by name: foreign and misspelt names are refused with the right one."""

import numpy as np
import pytest

from auricle.decoding.options import DecodeOptions
from auricle.settings import FOREIGN, NAMES, chosen, one_of


def choose(own=DecodeOptions(), decode=None, num_beams=None, **changes):  # noqa: B008  (frozen)
    return chosen(own, decode, num_beams, changes)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("num_return_sequences", "candidates"),
        ("max_new_tokens", "max_length"),
        ("do_sample", "decode"),
        ("beam_size", "num_beams"),
        ("temp", "temperature"),
        ("method", "decode"),
        ("temprature", "'temperature'"),
        ("candidate", "'candidates'"),
        ("batchsize", "'batch_size'"),
        ("quality", "settings are decode, num_beams"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_one(name, right):
    with pytest.raises(TypeError, match=f"no setting '{name}'.*{right}"):
        choose(**{name: 1})


def test_foreign_names_lead_to_ours():
    assert not FOREIGN.keys() & set(NAMES)
    for right in FOREIGN.values():
        assert right.startswith("auricle.load") or any(right.startswith(name) for name in NAMES)


def test_num_beams_is_the_number_of_candidates_of_a_beam_search():
    assert (choose(num_beams=3).method, choose(num_beams=3).candidates) == ("beam", 3)
    assert choose(num_beams=3).max_length == choose(decode="beam").max_length
    diverse = DecodeOptions(method="diverse-beam", candidates=8)
    assert choose(diverse, num_beams=12).method == "diverse-beam"
    assert choose(decode="beam", num_beams=2).candidates == 2
    with pytest.raises(ValueError, match="nucleus decoding has no beams"):
        choose(decode="nucleus", num_beams=2)
    with pytest.raises(TypeError, match="num_beams and candidates are names of one setting"):
        choose(num_beams=2, candidates=3)


def test_values_are_checked_and_those_of_numpy_and_lists_are_taken():
    assert choose(candidates=np.int64(5), temperature=None) == choose(candidates=5)
    assert choose(forbidden_words=["rain", "dog"]).forbidden_words == ("rain", "dog")
    assert choose(forbidden_words="rain").forbidden_words == ("rain",)
    for values in ({"candidates": "5"}, {"candidates": 0}, {"decode": "beem"}, {"top_p": "x"}):
        with pytest.raises(ValueError, match=f"{next(iter(values))}.*must be"):
            choose(**values)


def test_one_setting_has_one_value():
    assert one_of(a=None, b=0) == 0
    assert one_of(a=None, b=None) is None
    with pytest.raises(TypeError, match="a and b are names of one setting"):
        one_of(a=1, b=1)
