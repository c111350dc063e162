"""FENSE (Zhou et al., "Can audio captions be evaluated with image caption metrics?", ICASSP 2022):
the similarity of sentences, with a penalty for captions that are not fluent.

The published sentence model and error detector are used if they are on this machine. Otherwise
MiniLM and our own detector replace them, and the name of every such score states it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from auricle.errors import AuricleError
from auricle.metrics.scores import Missing, Score
from auricle.metrics.spider import PENALTY
from auricle.text.fluency import FETCH

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from auricle.text.embedder import TextEmbedder
    from auricle.text.fluency import FluencyDetector

SENTENCE_MODEL = "sentence-transformers/paraphrase-TinyBERT-L6-v2"  # section 4.1
DETECTOR = "fense-base"
FENSE, SIMILARITY, ERRORS = "FENSE", "SBERT similarity", "Fluency error rate"


class Sentences(NamedTuple):
    """A sentence model; ``standin`` is its label if it is not the published one."""

    embedder: TextEmbedder
    standin: str | None


class Judge(NamedTuple):
    """A fluency detector; ``standin`` is its label if it is not the published one."""

    detector: FluencyDetector
    standin: str | None


@lru_cache(maxsize=1)
def sentence_model(device: str = "cpu") -> Sentences:
    """The published model if it is in the Hub's cache on this machine, else MiniLM; loaded once,
    with a memory of embedded texts."""
    from auricle.fetch.hub import cached
    from auricle.fetch.names import EMBEDDER_FILES
    from auricle.text.embedder import MINILM, TextEmbedder

    if folder := cached(SENTENCE_MODEL, EMBEDDER_FILES):
        return Sentences(TextEmbedder(folder, device=device), None)
    return Sentences(TextEmbedder(MINILM, device=device), "MiniLM")


@lru_cache(maxsize=1)
def fluency_judge(device: str = "cpu") -> Judge:
    """The published detector if it is on this machine, else our own."""
    from auricle.fetch.cache import cache_folder
    from auricle.text.fluency import FENSE as RELEASED
    from auricle.text.fluency import default_detector, load_detector

    if (cache_folder() / "fense" / f"{RELEASED[DETECTOR]}.ckpt").is_file():
        try:
            return Judge(load_detector(DETECTOR, device=device), None)
        except AuricleError:  # the vocabulary of its BERT is missing
            pass
    return Judge(default_detector(), "auricle detector")


def missing(name: str, *standins: str | None) -> Missing | None:
    """The note on the published metric ``name`` if another one replaces it."""
    parts = [label for label in standins if label]
    if not parts:
        return None
    what = {"MiniLM": "sentence model", "auricle detector": "error detector"}
    lacking = " and ".join(what[part] for part in parts)
    there = "are" if len(parts) > 1 else "is"
    return Missing(name, f"its {lacking} {there} not on this machine", FETCH)


def fetch() -> list[Path]:
    """Download the models of FENSE, half a gigabyte; return their paths.

    Raises:
        ModelError: a model cannot be downloaded; names the files to fetch and where to put them.
    """
    from auricle.fetch.hub import download
    from auricle.fetch.names import EMBEDDER_FILES
    from auricle.text.fluency import fetch_detector

    return [download(SENTENCE_MODEL, EMBEDDER_FILES), fetch_detector(DETECTOR)]


def similarities(
    candidates: Tensor, references: Tensor, counts: Sequence[int]
) -> tuple[float, ...]:
    """The mean cosine of each clip's caption with its references.

    Args:
        candidates: [N, E] unit vectors.
        references: [M, E] unit vectors, ordered by clip.
        counts: numbers of references per clip.
    """
    import torch

    owner = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    cosines = (candidates[owner].double() * references.double()).sum(dim=-1)
    sums = torch.zeros(len(counts), dtype=torch.float64).index_add_(0, owner, cosines)
    return tuple((sums / torch.tensor(counts)).tolist())


def fense(similarity: Sequence[float], error: Sequence[float], threshold: float) -> Score:
    """FENSE from its parts: similarity, minus the share `PENALTY` of it if the probability of an
    error is above ``threshold``.

    Args:
        similarity: [N] as from `similarities`.
        error: [N] probability of any error.
    """
    items = tuple(
        value * (1 - PENALTY) if probability > threshold else value
        for value, probability in zip(similarity, error, strict=True)
    )
    return Score(FENSE, sum(items) / len(items), items)


def fluency_errors(probabilities: np.ndarray, threshold: float) -> list[Score]:
    """The share of captions with an error, and with each of the five named ones.

    Args:
        probabilities: [N, 6] as from a `FluencyDetector`.
        threshold: a probability above it is an error.

    Returns:
        Scores whose items are 1 (error) or 0; the first, of any error, has the six probabilities
        in its details.
    """
    from auricle.text.fluency import CLASSES, DESCRIPTIONS

    details = {
        name: tuple(column.tolist()) for name, column in zip(CLASSES, probabilities.T, strict=True)
    }
    scores = []
    for name in ("error", *(name for name in CLASSES if name != "error")):
        items = tuple(float(p > threshold) for p in details[name])
        shown = ERRORS if name == "error" else f"Error: {DESCRIPTIONS[name]}"
        score = Score(shown, sum(items) / len(items), items, details if name == "error" else {})
        scores.append(score)
    return scores
