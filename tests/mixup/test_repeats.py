"""Repeated answers: what many different pairs of captions share is no mix of theirs."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from auricle.mixup import repeats
from auricle.mixup.answers import MixupRow
from auricle.mixup.repeats import FEW, FRAMED, REPEATED, Repeats

SOUNDS = "dog cat train bell horse river clock drum".split()


def row(pair: int, captions: tuple[str, str], answer: str) -> MixupRow:
    return MixupRow(
        pair, ("a", "b"), (Path("a.wav"), Path("b.wav")), captions, "1", "m", "openai", 0, answer
    )


def rows(answer: str, count: int) -> list[MixupRow]:
    """Each of another pair; {0} and {1} in ``answer`` are its sounds, {2} its number."""
    pairs = [(one, other) for one in SOUNDS for other in SOUNDS if one < other][:count]
    return [
        row(number, (f"a {one} room", f"a {other} hall"), answer.format(one, other, number))
        for number, (one, other) in enumerate(pairs)
    ]


def faults(found: list[MixupRow]) -> set[str | None]:
    return set(map(Repeats(found).fault, found))


def test_a_text_for_many_pairs_is_refused():
    assert faults(rows("Birds sing in a tree", FEW)) == {None}
    assert faults(rows("Birds sing in a tree", FEW + 1)) == {REPEATED}
    wrapped = 'Mix: "Birds  sing, in a tree." ({2} words)'
    assert faults(rows("Birds sing in a tree", 2) + rows(wrapped, 4)) == {REPEATED}
    assert faults(rows("Birds sing in a tree\nPair {2}", 4)) == {REPEATED}
    assert faults(rows("A {0} and a {1}", 28)) == {None}


def test_equal_captions_may_have_equal_mixes():
    equal = rows("A dog and a bell", 1) * 50
    assert faults(equal) == {None}
    turned = [row(1, equal[0].captions[::-1], equal[0].answer)] * 50
    assert faults(equal + turned) == {None}


def test_a_frame_around_the_sounds_is_refused():
    framed = "A symphony of {0} and {1} fills the evening air"
    assert faults(rows(framed, FEW)) == {None}
    assert faults(rows(framed, FEW + 1)) == {FRAMED}
    assert faults(rows("A {0} in the background while a {1} can be heard nearby", 28)) == {None}


def test_large_files_may_repeat_a_little_more(monkeypatch):
    monkeypatch.setattr(repeats, "SAME_SHARE", 0.2)
    monkeypatch.setattr(repeats, "FRAME_SHARE", 0.2)
    assert faults(rows("Birds sing in a tree", 4) + rows("A {0} and a {1}", 16)) == {None}
    assert faults(rows("Birds sing in a tree", 4)) == {REPEATED}


def test_memory_holds_numbers():
    def stream():
        for number in range(300):
            yield row(number, ("a dog", f"rain {number}"), f"A dog {'x' * 3_000} {'y' * number}")

    Repeats(stream())  # imports
    tracemalloc.start()
    Repeats(stream())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000  # of 1 MB of texts
