"""Tuples of a scene graph, from grammatical relations.

The constructions are those of Schuster et al., "Generating Semantically Precise Scene Graphs from
Textual Descriptions for Improved Image Retrieval", VL 2015, section 3, with the changes of Anderson
et al., ECCV 2016, section 3.1: nouns are objects, numbers are attributes, plurals are not
multiplied. Comparison with the published program on Clotho showed which word of a compound is an
object, and that nouns joined by "and" are tuples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auricle.metrics.spice.graph import Tuple
from auricle.metrics.spice.parsing import parse
from auricle.metrics.spice.relations import AGENT, OF, OWNER, Relation, Relations


def read_tuples(captions: Iterable[str]) -> Iterator[list[Tuple]]:
    """The tuples of each caption of lower-case words; errors of `parsing.parse`."""
    return (list(_tuples(Relations(tree))) for tree in parse(captions))


def _tuples(relations: Relations) -> Iterator[Tuple]:
    tree = relations.tree
    modifiers = {
        word
        for head, below in relations.below.items()
        for word in relations.words(head, "compound")
        if below and tree.is_noun(head)
    }
    for word, lemma in enumerate(tree.lemmas):
        if tree.is_noun(word) and word not in modifiers:
            yield (lemma,)
    for head, below in relations.below.items():
        yield from _of_subjects(relations, head)
        yield from _passive(relations, head)
        for relation in below:
            yield from _of_noun(relations, relation)


def _of_subjects(relations: Relations, verb: int) -> Iterator[Tuple]:
    """ "a dog chases a cat", "a dog barks at a cat", "a dog barks", "it is a dog", "it is loud"."""
    tree, lemmas = relations.tree, relations.tree.lemmas
    below = relations.words(verb, "nsubj")
    subjects = [lemmas[word] for word in below if tree.is_noun(word)]
    if relations.words(verb, "cop"):
        if tree.is_noun(verb):
            yield from ((subject, "be", lemmas[verb]) for subject in subjects)
    else:
        predicate, objects = _predicate(relations, verb), _objects(relations, verb)
        for subject in subjects:
            for relation in objects:
                preposition = _preposition(relation)
                verbs = f"{predicate} {preposition}" if preposition else predicate
                yield (subject, verbs, lemmas[relation.word])
            if not objects:
                yield (subject, predicate)
    if tree.tags[verb].startswith("J"):
        yield from ((lemmas[word], lemmas[verb]) for word in below)


def _passive(relations: Relations, verb: int) -> Iterator[Tuple]:
    """ "a cat is chased by a dog" is "a dog chases a cat"."""
    tree, lemmas = relations.tree, relations.tree.lemmas
    for agent in filter(tree.is_noun, relations.words(verb, AGENT)):
        for patient in filter(tree.is_noun, relations.words(verb, "nsubjpass")):
            yield (lemmas[agent], _predicate(relations, verb), lemmas[patient])


def _of_noun(relations: Relations, relation: Relation) -> Iterator[Tuple]:
    """ "loud dog", "two dogs", "police dog", "cats and dogs", "dog in a yard", "dog eating"."""
    tree, lemmas = relations.tree, relations.tree.lemmas
    head, name, word = relation
    first, last = lemmas[head], lemmas[word]
    if name == "amod":
        yield (first, last)
    if not tree.is_noun(head):
        return
    if name == "nummod" or (name in {"compound", "conj"} and tree.is_noun(word)):
        yield (first, last)
    elif preposition := _preposition(relation):
        yield (first, preposition, last)
    elif name == OWNER and tree.is_noun(word):
        yield (last, "have", first)
    elif name == "acl" and tree.is_verb(word):
        for thing in _objects(relations, word):
            yield (first, _predicate(relations, word), lemmas[thing.word])


def _predicate(relations: Relations, verb: int) -> str:
    """The verb with its particles: "pass by"."""
    lemmas = relations.tree.lemmas
    return " ".join([lemmas[verb], *(lemmas[word] for word in relations.words(verb, "prt"))])


def _objects(relations: Relations, verb: int) -> list[Relation]:
    """Nouns that are a verb's objects or follow its prepositions."""
    return [
        relation
        for relation in relations.below.get(verb, ())
        if (relation.name in {"dobj", "iobj"} or relation.name.startswith(OF))
        and relations.tree.is_noun(relation.word)
    ]


def _preposition(relation: Relation) -> str:
    """ "in" of "nmod:in"; "" of any other relation."""
    if not relation.name.startswith(OF) or relation.name in {AGENT, OWNER, "nmod:npmod"}:
        return ""
    return relation.name.removeprefix(OF)
