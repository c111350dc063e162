"""Decoding options: the search method, its limits and the weights of reranking."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeAlias, get_args

from auricle.schema import Range, check
from auricle.text.fluency import FluencyFilter

DecodeMethod = Literal["nucleus", "beam", "diverse-beam", "greedy"]
Weight: TypeAlias = Annotated[float, Range(-1_000, 1_000)]
MOST_TOKENS = 100_000  # of all candidates of a clip: published 50 x 30


@dataclass(frozen=True)
class RerankWeights:
    """Weights of the terms that a candidate's score sums; defaults from the paper (section 2.4).

    Attributes:
        likelihood: weighs the mean log-probability per token, with the end token.
        summed_likelihood: weighs the log-probability of the whole caption.
        similarity: weighs the cosine between the embeddings of sound and caption.
        fluency: weighs the probability that the fluency detector finds no error.
        agreement: weighs the mean cosine with the clip's other draws (minimum Bayes risk by
            embedding).
    """

    likelihood: Weight = 0.3
    summed_likelihood: Weight = 0.0
    similarity: Weight = 0.7
    fluency: Weight = 0.0
    agreement: Weight = 0.0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class DecodeOptions:
    """Decoding settings; the defaults are the published ones (configuration of the released code).

    Attributes:
        method: ``nucleus`` samples candidates and reranks them; ``beam``, ``diverse-beam`` and
            ``greedy`` search.
        candidates: samples per clip for nucleus; beams per clip, of all groups, for beam search.
        temperature: divides the scores before sampling.
        top_k: sample among the k most probable tokens; 0 for all. The published system inherits 50.
        top_p: sample among the most probable tokens that together reach this probability.
        min_length, max_length: tokens of a sequence. Both count the start token; only the maximum
            counts the end token.
        no_repeat_ngram: n-grams of this size never repeat; 0 allows repeats.
        forbidden_words: no caption holds one of these, in upper or lower case.
        length_penalty: beam scores are log-probability / length ** this.
        groups, diversity_penalty: diverse beam search (Vijayakumar et al., AAAI 2018): ``groups``
            of beams, each penalised for the tokens that the groups before it chose.
        rerank: what samples are ranked by.
        fluency: the detector whose verdict candidates pass through, the first fluent one being the
            caption: our ``own``; ``fense-base`` or ``fense-tiny`` (Zhou et al., ICASSP 2022), the
            published system's being the first; or ``off``, which judges none.

    Raises:
        ValueError: a value is out of range; the message names both.
    """

    method: DecodeMethod = "nucleus"
    candidates: Annotated[int, Range(1, 1_000)] = 50
    temperature: Annotated[float, Range(1e-3, 1_000)] = 0.5
    top_k: Annotated[int, Range(0, 1_000_000)] = 50
    top_p: float = 0.95
    min_length: int = 5
    max_length: Annotated[int, Range(2, 16_384)] = 30
    no_repeat_ngram: Annotated[int, Range(0, 16_384)] = 3
    forbidden_words: Annotated[tuple[str, ...], Range(0, 1_000)] = ()
    length_penalty: Annotated[float, Range(-100, 100)] = 1.0
    groups: Annotated[int, Range(1, 1_000)] = 4
    diversity_penalty: Annotated[float, Range(0, 1_000)] = 0.5
    rerank: RerankWeights = field(default_factory=RerankWeights)
    fluency: FluencyFilter = "own"

    def __post_init__(self) -> None:
        diverse = self.method == "diverse-beam" and self.groups >= 1
        rules = {
            "method": (
                self.method in get_args(DecodeMethod),
                "nucleus, beam, diverse-beam or greedy",
            ),
            "groups": (self.groups >= 1, "at least 1"),
            "candidates": (
                self.candidates >= 1 and not (diverse and self.candidates % self.groups),
                f"a multiple of groups, {self.groups}" if diverse else "at least 1",
            ),
            "temperature": (self.temperature > 0, "above 0 (for no randomness decode greedily)"),
            "top_k": (self.top_k >= 0, "0 (no limit) or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "min_length": (0 <= self.min_length < self.max_length, "below max_length"),
            "max_length": (
                self.candidates * self.max_length <= MOST_TOKENS,
                f"at most {MOST_TOKENS:,} tokens with all {self.candidates} candidates",
            ),
            "no_repeat_ngram": (self.no_repeat_ngram >= 0, "0 (off) or more"),
            "diversity_penalty": (self.diversity_penalty >= 0, "0 (none) or more"),
            "fluency": (
                self.fluency in get_args(FluencyFilter),
                "own, fense-base, fense-tiny or off",
            ),
        }
        check(self, rules)


METHOD_DEFAULTS: dict[str, dict[str, Any]] = {
    "beam": {"candidates": 4, "max_length": 100},  # published beam search; other values as above
    "diverse-beam": {"candidates": 8, "groups": 4, "max_length": 100},
    "greedy": {"candidates": 1},
}

_SAMPLING = ("temperature", "top_k", "top_p", "seed")
_UNUSED: dict[str, tuple[str, ...]] = {
    "beam": _SAMPLING,
    "diverse-beam": _SAMPLING,
    "greedy": ("candidates", *_SAMPLING),
}
_UNUSED_BY_STREAMING = ("candidates", "fluency", "batch_size")


def unused(method: str, streaming: bool = False) -> tuple[str, ...]:
    """The settings that a method, or `auricle.decoding.streaming`, does not read; among them two
    beside `DecodeOptions`: ``seed`` and ``batch_size``."""
    return _UNUSED.get(method, ()) + _UNUSED_BY_STREAMING * streaming


def with_method(options: DecodeOptions, method: str) -> DecodeOptions:
    """``options`` with ``method``; a different method brings its own defaults."""
    if method == options.method:
        return options
    return replace(options, method=method, **METHOD_DEFAULTS.get(method, {}))  # type: ignore[arg-type]
