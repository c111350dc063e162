"""Captions mixed by grammar: what is written is right, and what is not understood is left."""

from __future__ import annotations

import pytest

from auricle.mixup.grammar import NotMixed, mix_captions
from auricle.mixup.phrases import Unsure, nominal, parse
from auricle.mixup.words import participle, third_person


@pytest.mark.parametrize(
    ("caption", "without_verbs"),
    [
        ("A dog barks", "a dog barking"),
        ("A dog is barking.", "a dog barking"),
        ("Birds chirp and sing", "birds chirping and singing"),
        ("A man speaks and a baby is loudly crying", "a man speaking and a baby loudly crying"),
        ("Two adult males speak as a car passes by", "two adult males speaking as a car passes by"),
        ("A man and a woman talk", "a man and a woman talking"),
        ("Water drips, and some dishes clank", "water dripping, and some dishes clanking"),
        ("Several clicks occur", "several clicks occurring"),
        ("A truck drives by and honks", "a truck driving by and honking"),
        ("A TV plays music", "a TV playing music"),
        ("Rain falling on a roof", "rain falling on a roof"),
        ("Loud footsteps on gravel", "loud footsteps on gravel"),
        ("A machine that hums", None),
        ("The music is loud", None),
        ("A car starts moving", None),
        ("A dog barked", None),
        ("A latch clacks", None),
        ("Jets of air hiss", None),
        ("A dog barks. A man speaks.", None),
        ("There is a dog barking", None),
        ("", None),
    ],
)  # fmt: skip
def test_verbs_become_participles(caption, without_verbs):
    if without_verbs is None:
        with pytest.raises(Unsure):
            nominal(parse(caption))
    else:
        assert nominal(parse(caption)).text == without_verbs


@pytest.mark.parametrize(
    ("caption", "clause"),
    [
        ("A dog barks", True),
        ("A dog barking", False),
        ("Clicks and hisses", False),
        ("Bees buzz", True),
    ],
)
def test_clauses_are_told_from_nominals(caption, clause):
    assert parse(caption).clause is clause


def mixtures(first: str, second: str) -> dict[str, str]:
    """All forms that seeds draw, with their relation."""
    found = (mix_captions((first, second), seed) for seed in range(60))
    return {mixture.text: mixture.relation for mixture in found}


def test_clauses_take_every_form():
    assert mixtures("A man speaks", "A dog barks") == {
        "A man speaks, while a dog barks": "together",
        "A man speaks as a dog barks in the background": "together",
        "A man speaks followed by a dog barking": "followed by",
    }


def test_nominals_take_theirs():
    assert mixtures("An engine idles.", "Footsteps on gravel") == {
        "An engine idles, while footsteps on gravel can be heard.": "together",
        "An engine idles with footsteps on gravel in the background.": "together",
        "An engine idles followed by footsteps on gravel.": "followed by",
    }


def test_a_nominal_may_come_first():
    assert mixtures("A dog barking", "Rain falls") == {
        "A dog barking while rain falls": "together",
        "A dog barking as rain falls in the background": "together",
        "A dog barking followed by rain falling": "followed by",
    }


def test_the_same_noun_is_told_apart():
    assert "A man speaks followed by another man laughing" in mixtures(
        "A man speaks", "A man laughs"
    )
    with pytest.raises(NotMixed, match="too alike"):
        mix_captions(("A man speaks", "A man is speaking"), 0)
    with pytest.raises(NotMixed, match="too alike"):
        mix_captions(("Water flows from a tap", "Water drips"), 0)


def test_articles_and_names_are_kept_right():
    texts = mixtures("A bee buzzes", "A insect clicks")  # as it was written
    assert any("while an insect clicks" in text for text in texts)
    assert all("English" in text for text in mixtures("A bell rings", "English people talk"))


def test_mixes_stay_under_25_words():
    long = "A man speaks loudly in a hall and a dog barks and a cat meows"
    for first, second in ((long, "A car passes by on a road"), ("A bell rings", long)):
        for text in mixtures(first, second):
            assert len(text.split()) < 25
    with pytest.raises(NotMixed, match="25 words or more"):
        mix_captions((long, "An engine idles and a child laughs and some people are clapping"), 0)


def test_a_seed_fixes_the_form():
    pair = ("A man speaks", "A dog barks")
    assert mix_captions(pair, 1, 2) == mix_captions(pair, 1, 2)
    drawn = [mix_captions(pair, seed).relation for seed in range(400)]
    assert 0.4 < drawn.count("followed by") / 400 < 0.6


def test_forms_of_verbs():
    assert [participle(verb) for verb in ("run", "drive", "die", "bark", "see")] == [
        "running", "driving", "dying", "barking", "seeing",
    ]  # fmt: skip
    assert [third_person(verb) for verb in ("hiss", "cry", "play", "go", "have", "coo")] == [
        "hisses", "cries", "plays", "goes", "has", "coos",
    ]  # fmt: skip
