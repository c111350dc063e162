"""A model as decoding sees it: what says captions and judges them, alone or in an ensemble."""

from __future__ import annotations

from dataclasses import dataclass

from auricle.model.bart import BartDecoder
from auricle.text.embedder import TextEmbedder
from auricle.text.tokenizer import CaptionTokenizer


@dataclass(frozen=True)
class Scorer:
    """A decoder with its tokenizer and text embedder.

    Attributes:
        name: the model's, as records give it.
        embedder: None leaves similarity out of the score.
        likelihood_weight, similarity_weight: this scorer's shares in the averages of an ensemble.
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
        text: without punctuation, as it is scored.
        ids: tokens found that say it, between the start and the end token: those that the text
            re-tokenises to if they were drawn, else the first.
        log_probability: of ``ids`` and the end token under the raw distribution of scorer
            ``scorer``, summed, in nats; None where the text re-tokenises differently or never
            ended.
        count: how many sequences of the search say it.
        scorer: which scorer found it first.
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
        log_probability: of the ids and the end token under the raw distribution (no temperature,
            nothing ruled out), summed, in nats; None where no end token was reached.
        score: what beam search ranks by; None from other searches.
    """

    ids: list[int]
    log_probability: float | None = None
    score: float | None = None
