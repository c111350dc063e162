"""Captions broken on purpose, each in the way it says."""

import random

import pytest

from auricle.text.normalise import as_judged
from auricle.tiny.corruptions import KINDS, OPEN_ENDS, Corruptor, join_events, split_events
from auricle.tiny.verbs import VerbForms

CAPTIONS = [
    "A dog barks while rain is falling loudly in the background.",
    "Dogs barking and a man speaking nearby",
    "Two men speak as an engine is running, followed by a dog that barks",
    "A man speaks and rain falls",
    "Rain falling as people are speaking",
    "Children speaking and laughing",
    "Rain is falling on a tin roof",
    "A small dog is barking over and over",
    "Barking of several dogs in the distance",
]


@pytest.fixture(scope="module")
def corruptor():
    return Corruptor(CAPTIONS)


def broken(corruptor, caption, kind, count=200):
    rng = random.Random(0)
    found = {corruptor.corrupt(as_judged(caption), kind, rng) for _ in range(count)}
    return found - {None}


def test_normalised_captions_have_no_capitals_and_no_punctuation():
    assert (
        as_judged(" A high-pitched horn,honks;  it's LOUD. ") == "a highpitched horn honks its loud"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_caption_is_never_a_whole_one(corruptor, kind):
    found = broken(corruptor, CAPTIONS[0], kind)
    assert found
    assert not found & corruptor.whole
    assert all(text == as_judged(text) for text in found)


def test_a_seed_fixes_what_is_broken(corruptor):
    first, again = (
        [corruptor.any_kind(as_judged(CAPTIONS[0]), random.Random(seed)) for seed in range(30)]
        for _ in range(2)
    )
    assert first == again
    assert len(set(first)) > 15


def test_an_incomplete_end_is_open(corruptor):
    for text in broken(corruptor, CAPTIONS[0], "add_tail"):
        assert text.split()[-1] in OPEN_ENDS | {"by"}


def test_a_repeated_event_says_something_twice(corruptor):
    found = broken(corruptor, "a man speaks and rain falls", "repeat_event")
    assert "a man speaks and a man speaks and rain falls" in found
    assert "a man man speaks and rain falls" in found
    assert any("falling" in text for text in found)  # in another form
    assert all(len(text.split()) > 6 for text in found)


def test_a_repeated_adverb_stands_twice(corruptor):
    found = broken(corruptor, CAPTIONS[0], "repeat_adv")
    assert "a dog barks while rain is falling loudly loudly in the background" in found
    assert as_judged(CAPTIONS[0]) + " in the background" in found
    added = broken(corruptor, "rain falls", "repeat_adv")
    assert "rain falls in the distance in the distance" in added


def test_a_missing_conjunction_joins_two_events(corruptor):
    assert broken(corruptor, CAPTIONS[3] + " while dogs bark", "remove_conj") == {
        "a man speaks rain falls while dogs bark",
        "a man speaks and rain falls dogs bark",
    }
    assert not broken(corruptor, "rain falls", "remove_conj")


def test_a_missing_verb_is_missed(corruptor):
    assert broken(corruptor, "a dog is barking and a man speaks loudly", "remove_verb") == {
        "a dog is and a man speaks loudly",
        "a dog is barking and a man loudly",
    }
    # "a dog and a man", "a dog while rain falls nearby": the first could stand in a caption.
    assert not broken(corruptor, "a dog barks and a man", "remove_verb")


def test_events_are_split_and_joined():
    caption = "a dog barks and then rain falls followed by wind"
    events, joints = split_events(caption)
    assert (events, joints) == (["a dog barks", "rain falls", "wind"], ["and then", "followed by"])
    assert join_events(events, joints) == caption
    assert split_events("rain") == (["rain"], [])


def test_verb_forms_are_read_off_ing():
    counts = {"barking": 9, "bark": 3, "barks": 5, "running": 4, "run": 1, "typing": 3, "types": 2}
    verbs = VerbForms(
        counts | {"something": 9, "someth": 1, "sing": 2, "carrying": 3, "carries": 1}
    )
    assert all(word in verbs for word in ("barks", "run", "types", "carries", "bark"))
    assert all(word not in verbs for word in ("something", "dog"))
    assert verbs.places("a dog barks and the bark is loud".split()) == [2, 6]
    forms = {verbs.other_form("barks", random.Random(seed)) for seed in range(20)}
    assert forms == {"bark", "barks", "barking"}
    assert verbs.other_form("dog", random.Random(0)) == "dog"
