"""Events of captions in answers: in the captions' words, in others, of one caption, of neither."""

from __future__ import annotations

import pytest

from auricle.mixup.events import Likeness, mismatch, unknown

DOG_RAIN = ("A dog barks", "Rain falls on a metal roof")
DRILL_RAIN = (
    "A mechanical drill noisily resonates as time goes on",
    "Rain that is pouring down very hard outside",
)
OTHERS = [
    f"{who} {does} {where}"
    for who in ("A man", "A train", "A crowd of people", "A cat", "An engine")
    for does in ("can be heard", "moves", "makes a noise", "starts")
    for where in ("far away", "in a room", "on a road", "at night")
]


class NoLikeness(Likeness):
    """Words alone decide."""

    def to_both(self, text, captions):
        return False


@pytest.mark.parametrize(
    ("text", "captions"),
    [
        ("A dog barks while rain falls on a roof", DOG_RAIN),
        ("Rain pours on metal as a hound howls", DOG_RAIN),
        ("A puppy yaps in a downpour over a roof", DOG_RAIN),
        ("Sirens wail as automobiles pass", ("An ambulance siren sounds", "Cars drive by")),
        ("A lady chats as a tap runs", ("A woman is talking", "Water flows from a faucet")),
        ("A man speaks as birds sing", ("A man speaks", "A man is speaking and birds sing")),
        ("A man speaks amid noise", ("A man speaks", "Various sounds can be heard")),
        ("개가 짖는 동안 비가 지붕에 내린다", ("개가 크게 짖는다", "비가 지붕에 내리고 있다")),
        (
            "Ein Hund bellt laut, während Regen auf ein Dach fällt",
            ("Ein Hund bellt laut", "Regen fällt auf ein Dach"),
        ),
    ],
)
def test_a_mix_names_both(text, captions):
    assert mismatch(text, captions, NoLikeness()) is None
    assert mismatch(text, captions[::-1], NoLikeness()) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A dog barks again and again in a garden", "names only one recording"),
        ("A hound woofs as a cat meows", "names only one recording"),
        ("Rain falls on a metal roof while a man speaks", "names only one recording"),
        ("A man speaks while a train passes", "names neither recording"),
        ("Various sounds can be heard together", "names neither recording"),
        ("", "names neither recording"),
        ("고양이가 울고 차가 지나간다", "names neither recording"),
        (
            "Rain falls, a dog barks, choirs, trains, bells, harps, cars, guns and clocks",
            "names other sounds",
        ),
    ],
)
def test_what_is_no_mix_says_why(text, reason):
    assert mismatch(text, DOG_RAIN, NoLikeness()) == reason
    assert mismatch(text, DOG_RAIN[::-1], Likeness(OTHERS)) == reason


def test_likeness_decides_where_words_leave_it_open():
    free = "A drill whines noisily as a downpour continues outside"
    assert mismatch(free, DRILL_RAIN, NoLikeness()) == "names only one recording"
    assert mismatch(free, DRILL_RAIN, Likeness(OTHERS)) is None
    other = "A saw whines noisily in a hall as a shower of coins continues outside"
    assert mismatch(other, DRILL_RAIN, Likeness([*OTHERS, other])) is not None


def test_a_captions_twin_is_no_other():
    """A file may hold no captions but those of the answer."""
    free = "A drill whines noisily as a downpour continues outside"
    assert Likeness([*DRILL_RAIN] * 5).to_both(free, DRILL_RAIN)
    assert Likeness().to_both(free, DRILL_RAIN)


def test_words_of_its_own():
    text = "A symphony of barking dogs and rainfall fills the evening air"
    assert unknown(text, DOG_RAIN) == ["simphoni", "fil", "even", "air"]
    assert unknown("A vehicle", ("A car", "")) == []
