"""Scene graphs of captions, merged by synonyms, and the F-score of one against another.

Anderson et al., "SPICE: Semantic Propositional Image Caption Evaluation", ECCV 2016, sections 3.1
and 3.2: a graph is a set of objects, attributes of objects and relations between objects. The
references' graphs are united, and synonymous objects become one. Two tuples match if each pair of
words is equal or shares a synset of WordNet. For the same tuples, the values equal the published
program's except in about 3 of 1,000 captions, where a word is a synonym of two objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

Tuple = tuple[str, ...]  # (object), (object, attribute) or (object, relation, object)


class Concept:
    """Words with one meaning."""

    __slots__ = ("synsets", "words")

    def __init__(self, word: str, synsets: frozenset[int]) -> None:
        self.words, self.synsets = frozenset((word,)), synsets

    def matches(self, other: Concept) -> bool:
        return not self.words.isdisjoint(other.words) or not self.synsets.isdisjoint(other.synsets)

    def __or__(self, other: Concept) -> Concept:
        both = Concept.__new__(Concept)
        both.words, both.synsets = self.words | other.words, self.synsets | other.synsets
        return both

    def likeness(self, other: Concept) -> float:
        """The share of common synsets, from 0 to 1."""
        either = self.synsets | other.synsets
        return len(self.synsets & other.synsets) / len(either) if either else 0.0


class Match(NamedTuple):
    """The numbers of tuples in both caption and references, in the caption, in the references."""

    both: int
    candidate: int
    references: int

    @property
    def precision(self) -> float:
        return self.both / self.candidate if self.candidate else 0.0

    @property
    def recall(self) -> float:
        return self.both / self.references if self.references else 0.0

    @property
    def f(self) -> float:
        return 2 * self.both / (self.candidate + self.references) if self.both else 0.0


class SceneGraph:
    """Objects, their attributes, and relations between them; synonyms are one.

    Args:
        tuples: the tuples of one caption, or of all references.
        synsets: word -> synsets (`auricle.metrics.spice.wordnet`).
    """

    def __init__(self, tuples: Iterable[Tuple], synsets: Callable[[str], frozenset[int]]) -> None:
        self._synsets = synsets
        self._objects: list[Concept] = []
        self._attributes: list[list[Concept]] = []  # of each object
        self._relations: dict[tuple[int, int], list[Concept]] = {}  # of each pair of objects
        for parts in tuples:
            first = self._place(self._objects, parts[0])
            if first == len(self._attributes):
                self._attributes.append([])
            if len(parts) == 2:
                self._place(self._attributes[first], parts[1])
            elif len(parts) == 3:
                last = self._place(self._objects, parts[2])
                if last == len(self._attributes):
                    self._attributes.append([])
                between = self._relations.setdefault((first, last), [])
                self._place(between, parts[1].removeprefix("be "))

    def tuples(self) -> list[tuple[Concept, ...]]:
        """Objects, then attributes, then relations."""
        objects = self._objects
        owned = zip(objects, self._attributes, strict=True)
        return [
            *((thing,) for thing in objects),
            *((thing, quality) for thing, qualities in owned for quality in qualities),
            *(
                (objects[a], relation, objects[b])
                for (a, b), relations in self._relations.items()
                for relation in relations
            ),
        ]

    def match(self, references: SceneGraph) -> Match:
        """The match with references; each of their tuples counts once."""
        own, left = self.tuples(), references.tuples()
        wanted, both = len(left), 0
        for parts in own:
            for n, others in enumerate(left):
                if len(parts) == len(others) and all(
                    part.matches(other) for part, other in zip(parts, others, strict=True)
                ):
                    del left[n]
                    both += 1
                    break
        return Match(both, len(own), wanted)

    def _place(self, concepts: list[Concept], word: str) -> int:
        """The index of the word in ``concepts``: of itself, of its closest synonym, or a new last
        one."""
        new = Concept(word, self._synsets(word))
        for n, concept in enumerate(concepts):
            if word in concept.words:
                return n
        likest = max(
            range(len(concepts)), key=lambda n: new.likeness(concepts[n]), default=len(concepts)
        )
        if likest == len(concepts) or not new.likeness(concepts[likest]):
            concepts.append(new)
            return len(concepts) - 1
        concepts[likest] |= new
        return likest
