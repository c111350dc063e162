"""Relations between content words of a syntax tree, collapsed as by Stanford's parser.

de Marneffe and Manning, "The Stanford typed dependencies representation", 2008 (collapsed, with
conjuncts propagated), with the names of Universal Dependencies 1: a preposition is part of the
relation, "is" depends on its predicate, conjuncts share their subject or verb, and a pronoun is
replaced by its noun (Schuster et al., VL 2015, section 3).
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from auricle.metrics.spice.parsing import Tree

OF = "nmod:"  # "nmod:in" is a noun phrase after "in"
AGENT, OWNER = "nmod:agent", "nmod:poss"
_NAMES = {
    "dobj": "dobj",
    "dative": "iobj",
    "attr": "attr",
    "amod": "amod",
    "acl": "acl",
    "prt": "prt",
    "nummod": "nummod",
    "compound": "compound",
    "nmod": "compound",
    "poss": OWNER,
    "npadvmod": "nmod:npmod",
    "xcomp": "xcomp",
    "acomp": "xcomp",
    "oprd": "xcomp",
}
_SHARED = {"dobj", "iobj", "attr"}  # with all conjuncts of the dependent


class Relation(NamedTuple):
    """A relation between two words of a caption, by their indices."""

    head: int
    name: str
    word: int


class Relations:
    """The relations of a caption."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._found: dict[Relation, None] = {}  # ordered as in the caption, distinct
        predicates = _predicates(tree)
        for word in range(len(tree.words)):
            self._read(word, predicates)
        self._share()
        self._resolve()
        self.below: dict[int, list[Relation]] = defaultdict(list)
        for relation in self._found:
            self.below[relation.head].append(relation)

    def words(self, head: int, *names: str) -> list[int]:
        """The words below ``head`` with one of these relations."""
        return [relation.word for relation in self.below.get(head, ()) if relation.name in names]

    def _add(self, head: int, name: str, word: int) -> None:
        if head != word:
            self._found[Relation(head, name, word)] = None

    def _read(self, word: int, predicates: dict[int, int]) -> None:
        tree, label = self.tree, self.tree.labels[word]
        verb = tree.heads[word]
        head = predicates.get(verb, verb)
        if head == word != verb:
            self._add(word, "cop", verb)
        elif self._is_preposition(word):
            self._prepositional(head, word, "agent" if label == "agent" else tree.words[word])
        elif label in {"nsubj", "nsubjpass", "csubj"}:
            name = "nsubjpass" if label == "nsubjpass" else "nsubj"
            for subject in tree.conjuncts(word):
                self._add(head, name, subject)
        elif label == "conj":
            self._add(verb, "conj", word)
        elif label in _NAMES:
            name = _NAMES[label]
            for shared in tree.conjuncts(word) if name in _SHARED else (word,):
                self._add(head, name, shared)

    def _is_preposition(self, word: int) -> bool:
        label, tag = self.tree.labels[word], self.tree.tags[word]
        return label in {"prep", "agent"} or (label == "dative" and tag in {"IN", "TO"})

    def _prepositional(self, head: int, preposition: int, name: str) -> None:
        tree = self.tree
        for word in tree.children[preposition]:
            label = tree.labels[word]
            if label == "pobj":
                for shared in tree.conjuncts(word):
                    self._add(head, OF + name, shared)
            elif label == "prep":  # "out of"
                self._prepositional(head, word, f"{name} {tree.words[word]}")
            elif label == "conj" and tree.tags[word] in {"IN", "TO"}:  # "up and down"
                self._prepositional(head, word, tree.words[word])

    def _share(self) -> None:
        """Give conjuncts and open complements the subject or noun of their head."""
        tree = self.tree
        for joint in sorted(self._found):
            if joint.name not in {"conj", "xcomp"}:
                continue
            for relation in list(self._found):
                if relation.head == joint.head and relation.name in {"nsubj", "nsubjpass"}:
                    bare = not self._has_subject(joint.word)
                    if joint.name == "conj" and bare and tree.tags[joint.word][0] in "VJ":
                        self._add(joint.word, relation.name, relation.word)
                    elif joint.name == "xcomp" and relation.name == "nsubj":
                        self._add(joint.word, "nsubj", relation.word)
                elif (
                    joint.name == "conj"
                    and relation.word == joint.head
                    and relation.name in {"acl", "amod"}
                ):
                    self._add(relation.head, relation.name, joint.word)

    def _has_subject(self, verb: int) -> bool:
        return any(r.head == verb and r.name in {"nsubj", "nsubjpass"} for r in self._found)

    def _resolve(self) -> None:
        """Replace "it" and "they" by the first noun before them."""
        tree = self.tree
        for word, tag in enumerate(tree.tags):
            if tag == "PRP" and tree.lemmas[word] not in {"i", "we", "you"}:
                noun = next((n for n in range(word) if tree.is_noun(n)), word)
                found, self._found = self._found, {}
                for head, name, end in found:
                    self._add(noun if head == word else head, name, noun if end == word else end)


def _predicates(tree: Tree) -> dict[int, int]:
    """Each "is" -> its predicate: "strong" in "the wind is strong"."""
    found = {}
    for word, lemma in enumerate(tree.lemmas):
        if lemma == "be" and (predicate := tree.labelled(word, "attr", "acomp")):
            found[word] = predicate[0]
    return found
