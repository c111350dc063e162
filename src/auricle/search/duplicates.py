"""Duplicates: recordings that are copies of one another, as their fingerprints tell.

    words ──► recordings that share a word, at a shift ──► the bits that differ there ──► groups

A word that is shared says at which shift two recordings may be one sound; there, they are compared
bit by bit. So only pairs that share a word are compared, and not all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from auricle.watch import Progress, silent

if TYPE_CHECKING:
    from auricle.search.store import Index

LEAST = 6  # words with information that two recordings must share, or there is no judgement
OVERLAP = 0.5  # of the shorter one's words with information that must overlap
# Share of the bits from which on two sounds are different: among 1,683 real sounds, different ones
# begin at 0.43, and the one looped sound among them differs from its repetition in 0.16.
DIFFERENT = 0.25
BESIDE = 4  # recordings with the same word, in their order, that one is compared with
SHIFTS = 3  # of a pair that are tried
SHIFT_BITS = 22
FURTHEST = 1 << (SHIFT_BITS - 1)  # shift, in words: 9 hours
BITS = np.array([number.bit_count() for number in range(256)], np.uint8)


@dataclass(frozen=True, slots=True)
class Copy:
    """A recording of a group; ``kind`` of copy of the first one: the same bytes, or the same sound;
    ``difference``: share of the bits of the fingerprints, 0 to about 0.5; None for the first."""

    audio: str
    kind: Literal["first", "same content", "same sound"]
    difference: float | None = None


def find_copies(index: Index, progress: Progress = silent) -> list[list[Copy]]:
    """Groups of copies, the longest recording of each first, in the order of their paths.

    Raises DataError: the index cannot be read.
    """
    paths: dict[str, list[str]] = defaultdict(list)  # by content
    words: dict[str, np.ndarray] = {}
    for audio, content, found in index.prints():
        paths[content].append(audio)
        words[content] = found
    contents = [*paths]
    prints = [words[one] for one in contents]
    groups: list[list[Copy]] = []
    pairs = [(one, other) for one, other, _ in similar(prints, progress)]
    for members in _connected(len(contents), pairs):
        longest = max(members, key=lambda one: (len(prints[one]), -one))
        (first, *same) = paths[contents[longest]]
        copies = [Copy(first, "first"), *[Copy(audio, "same content", 0.0) for audio in same]]
        for number in members:
            if number != longest:
                differs = difference(prints[longest], prints[number])
                copies += [Copy(a, "same sound", differs) for a in paths[contents[number]]]
        if len(copies) > 1:
            groups.append(copies)
    return sorted(groups, key=lambda group: group[0].audio)


def similar(
    prints: Sequence[np.ndarray], progress: Progress = silent
) -> Iterator[tuple[int, int, float]]:
    """(number, greater number, difference) of the ``prints`` that are of one sound, in order."""
    shifts = _shared(prints)
    for done, (one, other) in enumerate(sorted(shifts), 1):
        found = _least(prints[one], prints[other], shifts[one, other])
        if found is not None and found < DIFFERENT:
            yield one, other, found
        progress("comparing", done, len(shifts))


def difference(one: np.ndarray, other: np.ndarray) -> float | None:
    """Share of the bits in which two fingerprints differ, at the shift where they differ least;
    None if they share no word, or too few have information."""
    return _least(one, other, _shared([one, other]).get((0, 1), []))


def _shared(prints: Sequence[np.ndarray]) -> dict[tuple[int, int], list[int]]:
    """Pairs of fingerprints that share a word -> the shifts of the second at which most do."""
    places = [np.flatnonzero(words) for words in prints]
    if not places:
        return {}
    place = np.concatenate(places)
    owner = np.repeat(np.arange(len(prints)), [len(one) for one in places])
    words = np.concatenate([one[at] for one, at in zip(prints, places, strict=True)])
    order = np.lexsort((owner, words))  # stable: of one owner, the first place comes first
    words, owner, place = words[order], owner[order], place[order]
    first = np.ones(len(words), bool)
    first[1:] = (words[1:] != words[:-1]) | (owner[1:] != owner[:-1])
    words, owner, place = words[first], owner[first], place[first]
    keys = []
    for beside in range(1, BESIDE + 1):
        at = np.flatnonzero(words[beside:] == words[:-beside])
        pair = owner[at] * len(prints) + owner[at + beside]
        keys.append((pair << SHIFT_BITS) + (place[at + beside] - place[at] + FURTHEST))
    found, votes = np.unique(np.concatenate(keys), return_counts=True)
    pair, shift = found >> SHIFT_BITS, (found & (2 * FURTHEST - 1)) - FURTHEST
    shifts: dict[tuple[int, int], list[int]] = {}
    for number in np.lexsort((-votes, pair)):
        one, other = divmod(int(pair[number]), len(prints))
        best = shifts.setdefault((one, other), [])
        if len(best) < SHIFTS:
            best.append(int(shift[number]))
    return shifts


def _least(one: np.ndarray, other: np.ndarray, shifts: Sequence[int]) -> float | None:
    informative = min(np.count_nonzero(one), np.count_nonzero(other))
    least = max(LEAST, OVERLAP * informative)
    found = []
    for shift in shifts:
        here, there = one[max(0, -shift) :], other[max(0, shift) :]
        both = min(len(here), len(there))
        here, there = here[:both], there[:both]
        told = (here != 0) & (there != 0)
        if (number := np.count_nonzero(told)) >= least:
            bits = BITS[(here[told] ^ there[told]).view(np.uint8)].sum()
            found.append(float(bits) / (32 * number))
    return min(found, default=None)


def _connected(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The numbers below ``count`` in groups that ``pairs`` connect."""
    parent = [*range(count)]

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    for one, other in pairs:
        parent[root(other)] = root(one)
    groups: dict[int, list[int]] = defaultdict(list)
    for one in range(count):
        groups[root(one)].append(one)
    return [*groups.values()]
