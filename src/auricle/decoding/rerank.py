"""Reranking: the terms of each candidate, their weighted sum, the order and the reasons.

The paper's score is 0.3 * log-likelihood + 0.7 * audio-text similarity (Wu et al., section 2.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.decoding.hypothesis import Hypothesis, Scorer
from auricle.decoding.likelihood import Likelihood
from auricle.decoding.options import DecodeOptions
from auricle.decoding.terms import TERMS, Evidence, View, check_weights, score, takes_embedder
from auricle.errors import ModelError
from auricle.records import Candidate
from auricle.text.fluency import FluencyFilter, Verdict, fluency_filter

__all__ = ["choose", "rank", "score_candidates"]


@torch.inference_mode()
def score_candidates(
    scorers: Sequence[Scorer],
    embeddings: Sequence[Tensor],
    hypotheses: Sequence[Sequence[Hypothesis]],
    likelihoods: Sequence[Sequence[Sequence[Likelihood]]],
    options: DecodeOptions,
    every_term: bool = False,
) -> list[list[Candidate]]:
    """Each clip's distinct captions with their terms, scores and reasons.

    Samples come best first, and so do the captions of several scorers; the captions of one beam or
    greedy search keep their order. Likelihoods and similarities are weighted means over scorers.

    Args:
        embeddings: the clips' audio embeddings [B, E], per scorer.
        hypotheses: the captions of each clip.
        likelihoods: of each hypothesis of each clip, per scorer; of all scorers together if they
            searched together.
        every_term: compute also the terms that need text embeddings and have no weight.

    Raises:
        ModelError: the weights leave nothing to rank by; the fluency detector cannot be had; a
            score is no number.
    """
    by_score = options.method == "nucleus" or len(likelihoods) > 1
    if by_score:
        embedder = any(scorer.embedder for scorer in scorers)
        check_weights(options.rerank, embedder, detector=options.fluency != "off")
    embed = every_term or takes_embedder(options.rerank)
    views = _views(scorers, embeddings, hypotheses) if embed else [()] * len(hypotheses)
    apart = len(likelihoods) == len(scorers)
    shares = _shares([scorer.likelihood_weight for scorer in scorers]) if apart else [1.0]
    texts = [hypothesis.text for clip in hypotheses for hypothesis in clip]
    verdicts = iter(_verdicts(texts, options.fluency, embeddings[0].device))
    found = []
    for number, clip in enumerate(hypotheses):
        by_scorer = [clips[number] for clips in likelihoods]
        evidence = Evidence(clip, [next(verdicts) for _ in clip], by_scorer, shares, views[number])
        scored = list(_candidates(evidence, scorers, options))
        if any(math.isnan(candidate.score) for candidate in scored):
            raise ModelError(
                f"{' and '.join(scorer.name for scorer in scorers)}: the scores of captions are no "
                "numbers; the weights are damaged, or too large for this precision: fetch the model"
                " again, or use float32"
            )
        ordered = rank(scored) if by_score else scored
        found.append(explained(ordered, None if by_score else options.method) if ordered else [])
    return found


def _candidates(
    evidence: Evidence, scorers: Sequence[Scorer], options: DecodeOptions
) -> Iterator[Candidate]:
    columns: dict[str, Any] = {}
    for term in TERMS.values():
        values = term.of(evidence)
        columns[term.field] = (
            values.tolist() if values is not None else [None] * len(evidence.hypotheses)
        )
    for number, (hypothesis, verdict) in enumerate(
        zip(evidence.hypotheses, evidence.verdicts, strict=True)
    ):
        candidate = Candidate(
            text=hypothesis.text,
            score=0.0,
            fluent=verdict and verdict.fluent,
            count=hypothesis.count,
            model=scorers[hypothesis.scorer].name if len(evidence.likelihoods) > 1 else None,
            reason=verdict and verdict.fault and f"not fluent: {verdict.fault}",
            **{field: column[number] for field, column in columns.items()},
        )
        yield replace(candidate, score=score(candidate, options.rerank))


def _verdicts(
    texts: Sequence[str], fluency: FluencyFilter, device: torch.device
) -> Sequence[Verdict | None]:
    """A verdict per caption; None where the filter is off."""
    detector = fluency_filter(fluency, str(device))
    return detector.verdicts(texts) if detector else [None] * len(texts)


def _views(
    scorers: Sequence[Scorer],
    embeddings: Sequence[Tensor],
    hypotheses: Sequence[Sequence[Hypothesis]],
) -> list[list[View]]:
    """The views of each clip; an embedder that several scorers share embeds a text once."""
    seeing = [(v, audio) for v, audio in zip(scorers, embeddings, strict=True) if v.embedder]
    if not seeing:
        return [[] for _ in hypotheses]
    texts = list(dict.fromkeys(hypothesis.text for clip in hypotheses for hypothesis in clip))
    row = {text: number for number, text in enumerate(texts)}
    embedders = {id(scorer.embedder): scorer.embedder for scorer, _ in seeing}
    vectors = {key: embedder.embed(texts) for key, embedder in embedders.items() if embedder}
    shares = _shares([scorer.similarity_weight for scorer, _ in seeing])
    views: list[list[View]] = [[] for _ in hypotheses]
    for (scorer, embedding), share in zip(seeing, shares, strict=True):
        audio = F.normalize(embedding.float(), dim=-1)
        text = vectors[id(scorer.embedder)].to(audio.device)
        if text.shape[1] != audio.shape[1]:
            raise ModelError(
                f"{scorer.name}: its text embedder gives {text.shape[1]} numbers and the model "
                f"{audio.shape[1]}; name the one it was trained with as its text_embedder"
            )
        for number, clip in enumerate(hypotheses):
            rows = [row[hypothesis.text] for hypothesis in clip]
            views[number].append(View(audio[number], text[rows], share))
    return views


def _shares(weights: Sequence[float]) -> list[float]:
    """``weights`` divided by their sum."""
    total = sum(weights)
    if total <= 0:
        raise ModelError(
            f"the members' weights are {', '.join(map(str, weights))}; their sum must be above 0"
        )
    return [weight / total for weight in weights]


def rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Best score first; of equal scores, the candidate found first."""
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


def choose(ranked: Sequence[Candidate]) -> Candidate:
    """The first fluent candidate; the first of all when none is, or none was judged."""
    return next((candidate for candidate in ranked if candidate.fluent), ranked[0])


def explained(ranked: Sequence[Candidate], search: str | None = None) -> list[Candidate]:
    """The candidates, each with the reason why it was not chosen; the chosen one without.

    ``search``: the method that gave their order; None for best score first.
    """
    best = choose(ranked)
    return [
        replace(candidate, reason=None)
        if candidate is best
        else replace(candidate, reason=candidate.reason or _behind(candidate, best, search))
        for candidate in ranked
    ]


def _behind(candidate: Candidate, best: Candidate, search: str | None) -> str:
    if search:
        return f"later in the order of {search} search"
    gap = best.score - candidate.score
    return f"score {gap:.2g} below" if gap else "same score, found later"
