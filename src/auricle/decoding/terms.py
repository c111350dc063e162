"""Terms of reranking: a table of functions of the evidence on a clip's captions.

    score = sum over the terms of weight * value

A new term takes a function here, a line in `TERMS`, and a field in `RerankWeights` and `Candidate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from auricle.decoding.hypothesis import Hypothesis
from auricle.decoding.likelihood import Likelihood
from auricle.decoding.options import RerankWeights
from auricle.errors import ModelError
from auricle.records import Candidate
from auricle.text.fluency import Verdict


@dataclass(frozen=True, eq=False)
class View:
    """One scorer's embeddings of a clip and its N captions, as unit vectors.

    ``audio`` [E] and ``text`` [N, E] float32; ``share`` weighs the view in the scorers' average.
    """

    audio: Tensor
    text: Tensor
    share: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence on one clip's N distinct captions.

    Attributes:
        hypotheses: the captions.
        verdicts: of the fluency detector; None where it is off.
        likelihoods: of each caption, by each scorer.
        shares: of the scorers in an average of likelihoods.
        views: of the scorers with a text embedder; empty if no term needs one.
    """

    hypotheses: Sequence[Hypothesis]
    verdicts: Sequence[Verdict | None]
    likelihoods: Sequence[Sequence[Likelihood]]
    shares: Sequence[float]
    views: Sequence[View]


def likelihood(evidence: Evidence) -> Tensor:
    """The log-probability per token, averaged over the scorers."""
    return _averaged(evidence, lambda found: found.mean)


def summed_likelihood(evidence: Evidence) -> Tensor:
    """The log-probability of the whole caption, averaged over the scorers."""
    return _averaged(evidence, lambda found: found.total)


def similarity(evidence: Evidence) -> Tensor | None:
    """The cosine of caption and sound, averaged over the scorers; None without an embedder."""
    return _viewed(evidence, lambda view: view.text @ view.audio)


def fluency(evidence: Evidence) -> Tensor | None:
    """The probability that the fluency detector finds no error; None where it is off."""
    judged = [verdict.probability for verdict in evidence.verdicts if verdict]
    return torch.tensor(judged) if judged else None


def agreement(evidence: Evidence) -> Tensor | None:
    """The mean cosine of a draw with the clip's other draws; None without an embedder or others.

    This is the expected utility of minimum Bayes risk decoding (Kumar and Byrne, NAACL 2004), with
    a cosine as utility: equal draws agree by 1, so a caption that is drawn often agrees with many.
    """
    counts = torch.tensor([float(hypothesis.count) for hypothesis in evidence.hypotheses])
    others = counts.sum() - 1
    if others <= 0:
        return None
    return _viewed(
        evidence,
        lambda view: (view.text @ (view.text.T @ counts.to(view.text.device)) - 1) / others,
    )


class Term(NamedTuple):
    """``field`` of `Candidate` holds the values that ``of`` computes: [N], or None for all."""

    field: str
    of: Callable[[Evidence], Tensor | None]
    embedded: bool = False  # whether it needs a text embedder


TERMS: dict[str, Term] = {  # by the names of `RerankWeights`
    "likelihood": Term("log_likelihood", likelihood),
    "summed_likelihood": Term("summed_log_likelihood", summed_likelihood),
    "similarity": Term("similarity", similarity, embedded=True),
    "fluency": Term("fluency", fluency),
    "agreement": Term("agreement", agreement, embedded=True),
}


def score(candidate: Candidate, weights: RerankWeights) -> float:
    """The weighted sum of the candidate's terms; a missing term counts 0."""
    return sum(
        getattr(weights, name) * (getattr(candidate, term.field) or 0.0)
        for name, term in TERMS.items()
    )


def takes_embedder(weights: RerankWeights) -> bool:
    """Whether a term with a weight needs a text embedder."""
    return any(term.embedded and getattr(weights, name) for name, term in TERMS.items())


def check_weights(weights: RerankWeights, embedder: bool, detector: bool = True) -> None:
    """Refuse weights that leave nothing to rank by.

    Raises:
        ModelError: all are 0, or those that are not take the text embedder or the fluency detector
            that is missing.
    """
    counted = [name for name in TERMS if getattr(weights, name)]
    if not counted:
        raise ModelError(
            f"rerank: all weights are 0; give {' or '.join(TERMS)} a weight, such as likelihood 0.3"
        )
    if not detector and "fluency" in counted:
        raise ModelError(
            'rerank: fluency has a weight, but the fluency filter is "off"; choose own, fense-base '
            "or fense-tiny, or give fluency no weight"
        )
    if not embedder and all(TERMS[name].embedded for name in counted):
        raise ModelError(
            f"rerank: weights only on {' and '.join(counted)}: they need a text embedder, which "
            "this model does not have; give likelihood a weight"
        )


def _averaged(evidence: Evidence, value: Callable[[Likelihood], float]) -> Tensor:
    by_scorer = torch.tensor(
        [[value(found) for found in scorer] for scorer in evidence.likelihoods], dtype=torch.float64
    )
    return torch.tensor(evidence.shares, dtype=torch.float64) @ by_scorer


def _viewed(evidence: Evidence, value: Callable[[View], Tensor]) -> Tensor | None:
    if not evidence.views:
        return None
    return torch.stack([view.share * value(view) for view in evidence.views]).sum(dim=0)
