"""Captions -> AudioSet tags: which classes a tagger would have heard in the recording described.

A ranking is fitted on captions whose recordings people labelled. What it reads of a (text, class)
pair: a ridge regression and the nearest labelled captions in the text embedding's space, the
similarity of the text and of its phrases to the class name, the words they share, and how common
the class is. Boosted trees turn these into a probability. Most classes have few labelled captions
or none: for those, trees that read only what holds for any class decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from auricle.text.normalise import as_tagged
from auricle.tiny.ontology import Ontology

RIDGE = 3.0  # added to the diagonal of [E, E]; the best of 0.3, 1, 3, 10 in cross-validation
NEIGHBOURS = 30
TEMPERATURE = 0.05  # of the neighbours' cosine
FOLDS = 5
KEPT_NEGATIVES = 0.15  # of the pairs the trees are grown on; weighted back to all
ENOUGH = 8.0  # captions labelled with a class at which its own statistics count half
CANDIDATES = 40  # classes per text the trees look at when predicting
BATCH = 512

_ROUGH = [0, 1, 3, 4]  # columns of `_features` that preselect the candidates
_ALL, _GENERAL = list(range(11)), [2, 3, 4, 5, 6, 8, 9, 10]  # the latter know no class by name
_STOP_WORDS = frozenset("a an the of and or in on with to sound sounds noise for from".split())
_ENDINGS = ("ing", "ies", "es", "ed", "s", "y", "e")
_JOINTS = (
    r"and then|then|followed by|and|while|as|with|before|after|over|amid|amidst|during|until|when|"
    r"along with|alongside|accompanied by"
)
_CUT = re.compile(
    rf"\s*(?:,\s*(?:and\s+)?(?:then\s+)?(?:followed by\s+)?|\.\s+|;|\b(?:{_JOINTS})\b)\s*"
)
_NEXT = re.compile(r"\b(?:then|followed by|before)\b")
_PREVIOUS = re.compile(r"\bafter\b")
_FAR = re.compile(r"background|distan|faint|far |quiet|soft|muffled")


@dataclass(frozen=True)
class TaggedPhrase:
    """One event of a caption: its words, its place in the order told (0 first), whether faint."""

    text: str
    order: int
    faint: bool


def phrases(caption: str) -> list[TaggedPhrase]:
    """Cut a caption at its joints ("while", "followed by", commas) into events in time.

    "A before B" and "A followed by B" put B after A, "A after B" before it; all else is together.
    """
    text = as_tagged(caption)
    found: list[tuple[str, int]] = []
    order = end = 0
    for part in _parts(text):
        start = text.index(part, end)
        joint = text[end:start]
        if found and _NEXT.search(joint):
            order += 1
        elif found and _PREVIOUS.search(joint):
            order -= 1
        found.append((part, order))
        end = start + len(part)
    places = sorted({order for _, order in found})
    return [TaggedPhrase(part, places.index(o), bool(_FAR.search(part))) for part, o in found]


class CaptionTagger:
    """Probabilities of AudioSet classes given a text; `fit` first.

    Args:
        embed: N texts -> [N, E] float32, rows of length 1.
    """

    def __init__(self, ontology: Ontology, embed: Callable[[Sequence[str]], np.ndarray]) -> None:
        self.ontology = ontology
        self.embed = embed
        self.name_vectors = embed([name.lower() for name in ontology.names])  # [C, E]
        self._names = [_alternatives(name) for name in ontology.names]
        self._classes_of_word: dict[str, list[int]] = {}
        for index, alternatives in enumerate(self._names):
            for word in set().union(*alternatives):
                self._classes_of_word.setdefault(word, []).append(index)

    def fit(self, captions: Sequence[str], targets: np.ndarray, seed: int = 0) -> CaptionTagger:
        """Learn from N captions and their [N, C] labels of zeros and ones."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        texts = [as_tagged(caption) for caption in captions]
        vectors = self.embed(texts)
        self._frequency = targets.mean(axis=0)
        fold = np.arange(len(texts)) % FOLDS  # the trees must see scores of captions held out
        scores = np.zeros((2, *targets.shape), dtype=np.float32)
        for k in range(FOLDS):
            self._keep(vectors[fold != k], targets[fold != k])
            scores[:, fold == k] = self._vector_scores(vectors[fold == k])
        self._keep(vectors, targets)
        pairs = np.concatenate(self._pairs(texts, vectors, scores))
        labels = targets.reshape(-1)
        rng = np.random.default_rng(seed)
        kept = (labels > 0) | (rng.random(len(labels)) < KEPT_NEGATIVES)
        weights = np.where(labels > 0, 1.0, 1.0 / KEPT_NEGATIVES)
        self._trees, self._general = (
            HistGradientBoostingClassifier(
                max_iter=120,
                learning_rate=0.08,
                max_leaf_nodes=24,
                min_samples_leaf=60,
                l2_regularization=5.0,
                random_state=seed,
            ).fit(pairs[kept][:, columns], labels[kept], sample_weight=weights[kept])
            for columns in (_ALL, _GENERAL)
        )
        self._trust = targets.sum(axis=0) / (targets.sum(axis=0) + ENOUGH)
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """N captions or phrases -> [N, C] float32 probabilities, 0 for the unlikely classes."""
        texts = [as_tagged(text) for text in texts]
        found = np.zeros((len(texts), len(self.ontology)), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            vectors = self.embed(batch)
            pairs = np.stack(self._pairs(batch, vectors, self._vector_scores(vectors)))
            rough = pairs[..., _ROUGH].sum(axis=-1)
            likely = np.argpartition(-rough, CANDIDATES, axis=1)[:, :CANDIDATES]
            pairs = np.take_along_axis(pairs, likely[..., None], axis=1)
            pairs = pairs.reshape(-1, pairs.shape[-1])
            trust = self._trust[likely].reshape(-1)
            probability = trust * self._trees.predict_proba(pairs)[:, 1]
            probability += (1 - trust) * self._general.predict_proba(pairs[:, _GENERAL])[:, 1]
            rows = found[start : start + BATCH]
            np.put_along_axis(rows, likely, probability.reshape(likely.shape), axis=1)
        return found

    def _keep(self, vectors: np.ndarray, targets: np.ndarray) -> None:
        """Ridge weights and the captions to be neighbours."""
        self._known, self._known_targets = vectors, targets
        gram = vectors.T @ vectors + RIDGE * np.eye(vectors.shape[1], dtype=np.float32)
        self._ridge = np.linalg.solve(gram, vectors.T @ (targets - self._frequency))

    def _vector_scores(self, vectors: np.ndarray) -> np.ndarray:
        """[N, E] -> [2, N, C]: the ridge regression's score and the neighbours' mean label."""
        cosine = vectors @ self._known.T
        nearest = min(NEIGHBOURS, cosine.shape[1])
        least = np.partition(cosine, -nearest, axis=1)[:, -nearest, None]
        weight = np.where(cosine >= least, np.exp((cosine - 1.0) / TEMPERATURE), 0.0)
        total = weight.sum(axis=1, keepdims=True)
        mean = (weight @ self._known_targets + 1e-3 * self._frequency) / (total + 1e-3)
        return np.stack([vectors @ self._ridge + self._frequency, mean]).astype(np.float32)

    def _pairs(
        self, texts: Sequence[str], vectors: np.ndarray, scores: np.ndarray
    ) -> list[np.ndarray]:
        rows = zip(texts, vectors, scores.swapaxes(0, 1), strict=True)
        return [self._features(text, vector, *score) for text, vector, score in rows]

    def _features(
        self, text: str, vector: np.ndarray, ridge: np.ndarray, neighbours: np.ndarray
    ) -> np.ndarray:
        """The trees' features of one text and every class: [C, 11] float32."""
        parts = _parts(text)
        cosine = self.name_vectors @ vector
        best_part = (self.name_vectors @ self.embed(parts).T).max(axis=1)
        words = _words(text)
        whole = np.zeros(len(cosine), dtype=bool)  # does the text hold one of the class's names
        shared = np.zeros(len(cosine))  # the largest share of such a name's words it holds
        for index in {i for word in words for i in self._classes_of_word.get(word, ())}:
            shares = [len(name & words) / len(name) for name in self._names[index]]
            shared[index] = max(shares)
            whole[index] = shared[index] == 1.0
        kinds_named = self.ontology.ancestors.T @ whole
        columns = (
            ridge,
            neighbours,
            cosine,
            np.maximum(best_part, cosine),
            whole,
            shared,
            kinds_named,
            np.log(self._frequency + 1e-4),
            cosine >= np.sort(cosine)[-5],
            np.full(len(cosine), len(parts)),
            best_part - best_part.max(),
        )
        return np.stack([np.asarray(c, dtype=np.float32) for c in columns], axis=1)


def _parts(text: str) -> list[str]:
    parts = [part.strip(" .,") for part in _CUT.split(text)]
    return [part for part in parts if len(part) > 2] or [text]


def _words(text: str) -> set[str]:
    return {_stem(w) for w in re.findall(r"[a-z]+", text.lower()) if w not in _STOP_WORDS}


def _alternatives(name: str) -> list[set[str]]:
    """A class name's comma-separated alternatives as words.

    Remarks in brackets are left out, except those that say it is a musician's: "Tapping (guitar
    technique)" is no other tapping.
    """
    bare = re.sub(r"\((?!guitar|instrument|performance).*?\)", "", name)
    return [words for words in map(_words, bare.split(",")) if words] or [_words(name)]


def _stem(word: str) -> str:
    """Enough of a stemmer for "barking dogs" to meet "Dog" and "Bark"."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
