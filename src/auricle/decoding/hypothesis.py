"""Scorers and hypotheses: the parts of a model that decoding needs, and the captions it finds."""

from __future__ import annotations

from dataclasses import dataclass

from auricle.model.bart import BartDecoder
from auricle.text.embedder import TextEmbedder
from auricle.text.tokenizer import CaptionTokenizer


@dataclass(frozen=True)
class Scorer:
    """A decoder with its tokenizer and text embedder.

    Attributes:
        name: the model's name, as in records.
        embedder: without it the score has no similarity.
        likelihood_weight, similarity_weight: the scorer's shares in an ensemble's averages.
    """

    name: str
    decoder: BartDecoder
    tokenizer: CaptionTokenizer
    embedder: TextEmbedder | None = None
    likelihood_weight: float = 1.0
    similarity_weight: float = 1.0


@dataclass(frozen=True)
class Hypothesis:
    """A distinct caption that a search found for a clip.

    Attributes:
        text: the caption without punctuation, as it is scored.
        ids: its tokens between the start and the end token: those that the text re-tokenises to if
            the search found them, else the first that it found.
        log_probability: summed over ``ids`` and the end token under the raw distribution of scorer
            ``scorer``, in nats; None if the text re-tokenises differently or has no end token.
        count: the number of sequences with this text.
        scorer: the number of the scorer that found it first.
    """

    text: str
    ids: tuple[int, ...]
    log_probability: float | None
    count: int = 1
    scorer: int = 0


@dataclass(frozen=True)
class TokenSequence:
    """Token ids between the start and the end token.

    Attributes:
        log_probability: summed over the ids and the end token under the raw distribution (no
            temperature, nothing ruled out), in nats; None without an end token.
        score: the score that beam search ranks by; None from other searches.
    """

    ids: list[int]
    log_probability: float | None = None
    score: float | None = None
