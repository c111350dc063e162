"""Hybrid reranking: 0.3 * log-likelihood + 0.7 * audio-text similarity (Wu et al., section 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.decoding.likelihood import Likelihood
from auricle.decoding.options import DecodeOptions
from auricle.decoding.voice import Draft, Voice
from auricle.records import Candidate
from auricle.text.embedder import TextEmbedder
from auricle.text.fluency import default_detector


@torch.inference_mode()
def score_candidates(
    voices: Sequence[Voice],
    embeddings: Sequence[Tensor],
    drafts: Sequence[Sequence[Draft]],
    likelihoods: Sequence[Sequence[Sequence[Likelihood]]],
    options: DecodeOptions,
) -> list[list[Candidate]]:
    """Score each clip's distinct captions, in the order given.

    Args:
        embeddings: the clips' audio embeddings [B, E], for each voice.
        drafts: of each clip.
        likelihoods: of each draft of each clip, by each voice.
    """
    verdicts = iter(default_detector().fluent([draft.text for clip in drafts for draft in clip]))
    similarities = _similarities(drafts, embeddings[0], voices[0].embedder)
    return [
        [
            Candidate(
                text=draft.text,
                log_likelihood=likelihood.mean,
                similarity=similarity,
                score=options.rerank.likelihood * likelihood.mean
                + options.rerank.similarity * (similarity or 0.0),
                fluent=next(verdicts),
                summed_log_likelihood=likelihood.total,
                count=draft.count,
            )
            for draft, likelihood, similarity in zip(*clip, strict=True)
        ]
        for clip in zip(drafts, likelihoods[0], similarities, strict=True)
    ]


def _similarities(
    drafts: Sequence[Sequence[Draft]], audio_embedding: Tensor, embedder: TextEmbedder | None
) -> Sequence[Sequence[float | None]]:
    """The cosine of each clip's captions with its audio embedding."""
    if embedder is None:
        return [[None] * len(clip) for clip in drafts]
    vectors = embedder.embed([draft.text for clip in drafts for draft in clip])
    audio = F.normalize(audio_embedding.float(), dim=-1)
    rows = vectors.to(audio.device).split([len(clip) for clip in drafts])
    return [(row @ audio[clip]).tolist() for clip, row in enumerate(rows)]


def rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Best score first."""
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


def choose(ranked: Sequence[Candidate]) -> Candidate:
    """The first fluent candidate; the first of all when none is."""
    return next((candidate for candidate in ranked if candidate.fluent), ranked[0])
