"""Answers of language models to captions: packing is taken off, what is no mix is named."""

from __future__ import annotations

import time

import pytest

from auricle.mixup.cleaning import REASONS, clean, unpacked
from auricle.mixup.order import distinctive, order
from auricle.text.stems import content

CAPTIONS = ("A dog barks repeatedly", "Rain falls on a metal roof as thunder rumbles")
GOOD = "A dog barks repeatedly while rain falls on a metal roof"


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f'  "{GOOD}"\n',
        f"“{GOOD}”",
        f"'{GOOD}'",
        f"«{GOOD}»",
        f'"{GOOD}',
        f'{GOOD}"',
        f"Mix: {GOOD}",
        f'Mixed caption: "{GOOD}"',
        f"**Mixed Caption:** {GOOD}",
        f"### Output: {GOOD}",
        f"Output - {GOOD}",
        f"Answer:\n\n{GOOD}",
        f"Here's a combined version of both: {GOOD}",
        f"Sure, here is a mix of the two captions, under 25 words:\n\n“{GOOD}”",
        f"Sure! {GOOD}",
        f"Certainly! Here you go:\n{GOOD}",
        f"Here is the mix\n{GOOD}",
        f"{GOOD} (11 words)",
        f"{GOOD}\n\nWord count: 11",
        f'"{GOOD}" This caption combines both sounds.',
        f"{GOOD}\nNote: both sounds are kept.",
        f"```text\n{GOOD}\n```",
        f"<think>Dogs. Rain.\n</think>\n\n{GOOD}",
        f"1. {GOOD}\n2. Thunder rumbles as a dog barks",
        f"- {GOOD}",
        f"{GOOD}\nThe dog does not stop",
    ],
)
def test_packing_is_taken_off(answer):
    cleaned = clean(answer, CAPTIONS)
    assert (cleaned.text, cleaned.reason) == (GOOD, None)


@pytest.mark.parametrize(
    "answer",
    [
        f"{GOOD}.",
        'A man says "hello" as a dog barks in the rain',
        "A dog's bark echoes in the rain",
        "Rain falls... then a dog barks on a roof",
        "Rain at 5.30 in the morning, and a dog barks",
        "St. Bernards bark in the rain",
    ],
)
def test_a_caption_stays_as_it_is(answer):
    assert clean(answer, CAPTIONS).text == answer
    assert clean(answer, CAPTIONS).reason is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        (' "" \n', "empty"),
        ("...", "empty"),
        ("Mix:", "empty"),
        ("<think>Let me see. A dog barks while rain falls", "empty"),
        ("I'm sorry, but I cannot help with that.", "refusal"),
        ("As an AI language model, I have no ears.", "refusal"),
        ("Unable to generate a caption for this.", "refusal"),
        (f"Generate a mix of the following two audio captions: {GOOD}", "repeats the prompt"),
        ("A dog barks repeatedly. Rain falls on a metal roof.", "several sentences"),
        ("A dog barks repeatedly\nRain falls on a metal roof", "several sentences"),
        (" ".join([GOOD, *["loudly and slowly"] * 5]).replace("y and", "y, and"), "repetition"),
        (f"{GOOD} {' '.join('abcdefghijklmno')}", "too many words"),
        ("Rainy barks", "too few words"),
        (CAPTIONS[0], "copy of one caption"),
        (f"“{CAPTIONS[1].lower()}.”", "copy of one caption"),
        ("A dog is barking repeatedly", "names only one recording"),
        ("As thunder is rumbling, the rain falls on a roof", "names only one recording"),
        ("A hound woofs as a cat meows at a man", "names only one recording"),
        ("Birds sing in a quiet forest", "names neither recording"),
        ("Various sounds can be heard in the background", "names neither recording"),
        (
            "Rain falls, a dog barks, choirs, trains, bells, harps, cars, guns, clocks",
            "names other sounds",
        ),
        ("A mixed audio caption of rain and a dog", "talk of the task"),
        ("Rain falls while a dog barks at <b>you</b>", "broken text"),
        ('{"caption": "Rain falls while a dog barks"}', "broken text"),
        ("Rain falls while a dÃ©g barks repeatedly", "broken text"),
        ("一只狗在叫，雨落在屋顶上", "another script"),
        ("Rain falls while a собака barks", "another script"),
    ],
)
def test_what_is_no_mix_has_a_reason(answer, reason):
    assert reason in REASONS
    assert clean(answer, CAPTIONS).reason == reason


def test_long_answers_are_not_read():
    assert clean("A dog barks in the rain " * 1_000, CAPTIONS).reason == "too many words"
    start_s = time.monotonic()
    for part in (" ", "- ", "1. ", "(", '"', " (1 words", "\n", "sure! ", "<think>", "a. note "):
        clean(f"a{part * (4_000 // len(part))}b", CAPTIONS)
        clean(part * (4_000 // len(part)), CAPTIONS)
    assert time.monotonic() - start_s < 4


def test_words_are_counted_to_the_limit():
    words = "rain falls while a dog barks".split()
    words += "a the and or but while as with of to at from for into in on by near off".split()
    assert len(words) == 25
    assert clean(" ".join(words), CAPTIONS).reason is None
    assert clean(" ".join([*words, "out"]), CAPTIONS).reason == "too many words"
    assert clean(" ".join(words), CAPTIONS, max_words=24).reason == "too many words"


def test_captions_decide_what_is_a_fault_of_the_answer():
    spoken = ('A man says "I\'m sorry"', "Un chat miaule, кошка")
    assert clean('A man says "I\'m sorry" as a кошка meows', spoken).reason is None
    alike = ("A man speaks", "A man is speaking and birds sing")
    assert clean("A man speaks as birds sing", alike).reason is None  # lacks nothing
    assert clean("Un chat dort et miaule", alike).reason == "names neither recording"


def test_unpacked_is_settled():
    packed = f'Sure! Here it is:\n1. **Caption:** "{GOOD}." (11 words)'
    assert unpacked(packed) == f"{GOOD}."
    assert unpacked(unpacked(packed)) == unpacked(packed)


def test_content():
    forms = ("barking", "barks", "barked", "bark"), ("running", "runs"), ("cries", "crying")
    for words in (*forms, ("vehicles", "a vehicle's"), ("passes", "passing by")):
        assert len({content(word) for word in words}) == 1, words
    assert distinctive(("a man speaks", "a dog barks as a man is speaking")) == (
        set(),
        {"dog", "bark"},
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog barks repeatedly followed by rain falling", (0, 1)),
        ("Rain falls on a roof, then a dog barks", (1, 0)),
        ("A dog barks before rain falls", (0, 1)),
        ("Rain falls after a dog barks", (0, 1)),
        ("A dog barks and then thunder rumbles", (0, 1)),
        (GOOD, None),
        ("Rain falls and a dog barks, followed by thunder", None),
        ("Thunder rumbles, followed by rain as a dog barks", None),
        ("Rain followed by thunder", None),
        ("After rain, a dog barks", None),
        ("A dog barks, followed by silence", None),
    ],
)
def test_order_is_taken_from_the_text(text, expected):
    assert order(text, CAPTIONS) == expected
