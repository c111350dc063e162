"""How captions are decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from auricle.schema import check

DecodeMethod = Literal["nucleus", "beam", "greedy"]


@dataclass(frozen=True)
class DecodeOptions:
    """Decoding settings; the defaults are the published ones (configuration of the released code).

    Attributes:
        method: ``nucleus`` samples candidates and reranks them; ``beam`` and ``greedy`` search.
        candidates: samples per clip for nucleus, beams for beam search.
        temperature: divides the scores before sampling.
        top_k: sample among the k most probable tokens; 0 for all. The published system inherits 50.
        top_p: sample among the most probable tokens that together reach this probability.
        min_length, max_length: tokens of a sequence, the start token included, the end token not
            (min) or included (max).
        no_repeat_ngram: n-grams of this size never repeat; 0 allows them to.
        length_penalty: beam scores are log-probability / length ** this.
        likelihood_weight, similarity_weight: the hybrid reranker (Wu et al., section 2.4).

    Raises:
        ValueError: a value is out of its range; the message says which and the range.
    """

    method: DecodeMethod = "nucleus"
    candidates: int = 50
    temperature: float = 0.5
    top_k: int = 50
    top_p: float = 0.95
    min_length: int = 5
    max_length: int = 30
    no_repeat_ngram: int = 3
    length_penalty: float = 1.0
    likelihood_weight: float = 0.3
    similarity_weight: float = 0.7

    def __post_init__(self) -> None:
        rules = {
            "method": (self.method in get_args(DecodeMethod), "nucleus, beam or greedy"),
            "candidates": (self.candidates >= 1, "at least 1"),
            "temperature": (self.temperature > 0, "above 0 (for no randomness decode greedily)"),
            "top_k": (self.top_k >= 0, "0 (no limit) or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_length": (0 <= self.min_length < self.max_length, "below max_length"),
            "no_repeat_ngram": (self.no_repeat_ngram >= 0, "0 (off) or more"),
        }
        check(self, rules)


BEAM_DEFAULTS = {"candidates": 4, "max_length": 100}  # published beam search, other values as above
GREEDY_DEFAULTS = {"candidates": 1}
