"""PTB tokens: the rules against the Java program, on words and on strings made to break them."""

import random
import shutil
import string

import pytest

from auricle.errors import AuricleError, MissingDependencyError
from auricle.metrics import ptb
from auricle.metrics.java import INSTALL, carried, find_java
from auricle.metrics.ptb import by_rules, tokenize
from auricle.metrics.scores import MissingMetricError
from tests.helpers.skips import skipped_if_missing

WORDS = """a an the dog dogs barks rain is falling in on while woman's dogs' don't can't it's
they're I'm we've he'd she'll cannot gonna high-pitched beep-beep-beep wash no etc st fig i b 2 12
500""".split()
MARKS = ["", "", "", "", "", ".", ",", "!", "?", ";", ":", "-", "--", '"', ")", ".)", '."', '".']
ODD = [
    "'",
    "''",
    "`",
    "/",
    "&",
    "...",
    "é",
    "\u2019s",
    "1/2",
    ";d",
    ":)",
    "$",
    "\t",
    ",,",
    "'S",
    "a,b",
]


@pytest.fixture
def java_tokens():
    """The Java program's tokens of captions, each read beside its neighbours."""
    with skipped_if_missing():
        find_java(), carried("tokenizer", "stanford-corenlp-3.4.1.jar")
    return lambda captions: ptb._by_java(captions, len(captions))


@pytest.fixture
def no_java(monkeypatch):
    def refuse():
        raise MissingDependencyError(f"no Java; {INSTALL}")

    monkeypatch.setattr(ptb, "find_java", refuse)


def made_captions(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)

    def piece() -> str:
        word = rng.choice([str, str, str.upper, str.capitalize])(rng.choice(WORDS))
        opening = rng.choice(["", "", "", "", "(", '"'])
        return opening + word + rng.choice(MARKS if rng.random() < 0.9 else ODD)

    return [
        "".join(piece() + rng.choice([" "] * 9 + [""]) for _ in range(rng.randint(0, 9)))
        for _ in range(count)
    ]


def made_strings(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    letters = "aAnNtTsS'dlmrev.,;:?!-\"() 12i"
    return ["".join(rng.choices(letters, k=rng.randint(1, 12))) for _ in range(count)]


def differing(captions: list[str], expected: list[tuple[str, ...]]) -> tuple[int, list]:
    """How many captions the rules take, and those where they are wrong."""
    found = [by_rules(caption) for caption in captions]
    wrong = [
        (caption, mine, theirs)
        for caption, mine, theirs in zip(captions, found, expected, strict=True)
        if mine is not None and mine != theirs
    ]
    return sum(mine is not None for mine in found), wrong


def test_the_rules_equal_the_program_on_made_captions(java_tokens):
    captions = made_captions(2000, seed=1) + made_strings(2000, seed=2)
    taken, wrong = differing(captions, java_tokens(captions))
    assert not wrong
    assert taken > 800


@pytest.mark.slow
def test_the_rules_equal_the_program_on_every_short_word_and_its_period(java_tokens):
    letters = string.ascii_lowercase
    words = [*letters, *(a + b for a in letters for b in letters)]
    words += [a + b for a in words[26:] for b in words]
    captions = [word + mark for word in words for mark in ("", ".", "'s")]
    taken, wrong = differing(captions, java_tokens(captions))
    assert not wrong
    assert taken > 0.9 * len(captions)
    captions = made_captions(30_000, seed=3) + made_strings(30_000, seed=4)
    assert not differing(captions, java_tokens(captions))[1]


def test_the_tokens_are_those_of_the_golden_files(golden_metrics):
    raw = golden_metrics("audiocaps_test_loo1_inputs.json")
    tokenized = golden_metrics("audiocaps_test_loo1_tokenized.json")
    texts = [text for clip in raw for text in (clip["candidate"], *clip["references"])]
    expected = [text for clip in tokenized for text in (clip["candidate"], *clip["references"])]
    plain = [i for i, text in enumerate(texts) if by_rules(text) is not None]
    assert len(plain) > 0.99 * len(texts)
    assert all(" ".join(by_rules(texts[i])) == expected[i] for i in plain)


def test_what_the_rules_leave_goes_to_the_program_and_back_into_its_place(java_tokens):
    captions = [
        "A dog barks.",
        "rock/metal at 5 p.m.",
        "",
        "Caf\u00e9 noise!",
        "Rain\u2028falls",
        "1 1/2",
    ]
    assert tokenize(captions) == [
        ("a", "dog", "barks"),
        ("rock/metal", "at", "5", "p.m."),
        (),
        ("caf\u00e9", "noise"),
        ("rain", "falls"),
        ("1\xa01/2",),
    ]


@pytest.mark.slow
def test_a_list_of_captions_gives_the_tokens_of_pycocoevalcap(java_tokens):
    if not shutil.which("java"):
        pytest.skip("pycocoevalcap takes the Java on the PATH alone")
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    beside = ["Plan b.", "", "A dog", "no.\n2 men", "fig.", "2 birds", "U.S. Army", "call 555 1234"]
    captions = made_captions(20_000, seed=5) + made_strings(20_000, seed=6) + beside * 500
    random.Random(7).shuffle(captions)
    captions.append("the last")  # which that program reads without an end of line
    entries = {i: [{"caption": caption}] for i, caption in enumerate(captions)}
    expected = PTBTokenizer().tokenize(entries)
    found = [[" ".join(tokens)] for tokens in tokenize(captions)]
    assert found == list(expected.values())


def test_plain_captions_need_no_java(no_java):
    assert tokenize(["The Woman's dog can't bark, \"loudly\" (again)."]) == [
        tuple("the woman 's dog ca n't bark loudly -lrb- again -rrb-".split())
    ]
    assert tokenize(["line\nbreak", ""]) == [("line", "break"), ()]
    assert tokenize([]) == []


def test_without_java_the_captions_that_need_it_are_counted(no_java):
    with pytest.raises(MissingMetricError, match="2 captions hold more") as raised:
        tokenize(["a dog", "a/b", "at 5 p.m."])
    assert raised.value.missing.command == INSTALL


def test_a_program_that_fails_is_named(tmp_path, monkeypatch):
    pytest.importorskip("pycocoevalcap.tokenizer.ptbtokenizer")
    program = tmp_path / "java"
    program.write_text("#!/bin/sh\necho one line\necho out of memory >&2\n")
    program.chmod(0o755)
    monkeypatch.setattr(ptb, "find_java", lambda: program)
    with pytest.raises(AuricleError, match="1 lines for 2 captions: out of memory"):
        tokenize(["a/b", "c/d"])
