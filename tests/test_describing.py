"""The candidates of parts that are scored again for the whole."""

from __future__ import annotations

from auricle.describing import MOST, _best
from auricle.records import Candidate


def part(*texts):
    return [Candidate(text, -1.0, 0.5, 1.0 - place, True) for place, text in enumerate(texts)]


def texts(parts):
    return [[one.text for one in part] for part in parts]


def test_of_few_parts_all_are_kept_in_order():
    parts = [part("b", "a"), part(), part("a", "c")]
    assert texts(_best(parts)) == texts(parts)


def test_of_many_parts_the_best_of_each_are_kept():
    parts = [part(*(f"{number} {place}" for place in range(30))) for number in range(40)]
    assert texts(_best(parts)) == [
        [f"{number} {place}" for place in range(3)] for number in range(40)
    ]


def test_of_very_many_parts_the_commonest_texts_are_kept():
    parts = [part(f"rare {number}") for number in range(10 * MOST)]
    parts[500::100] = [part("common")] * len(parts[500::100])
    kept = [text for each in texts(_best(parts)) for text in each]
    assert kept.count("common") == len(parts[500::100])
    assert len(set(kept)) == MOST
