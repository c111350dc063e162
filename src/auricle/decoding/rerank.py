"""Hybrid reranking: 0.3 * log-likelihood + 0.7 * audio-text similarity (Wu et al., section 2.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from auricle.decoding.options import DecodeOptions
from auricle.model.bart import BartDecoder, CrossMemory
from auricle.model.likelihood import IGNORE_ID, decoder_inputs, token_nll
from auricle.records import Candidate
from auricle.text.embedder import TextEmbedder
from auricle.text.fluency import default_detector
from auricle.text.tokenizer import CaptionTokenizer


@torch.inference_mode()
def score_candidates(
    decoder: BartDecoder,
    cross: CrossMemory,
    audio_embedding: Tensor,
    texts: Sequence[Sequence[str]],
    tokenizer: CaptionTokenizer,
    embedder: TextEmbedder | None,
    options: DecodeOptions,
) -> list[list[Candidate]]:
    """Score each clip's distinct captions, in the order given.

    Args:
        cross: the clips' memory; ``audio_embedding`` [B, E] theirs too.
        texts: B lists of captions without punctuation; duplicates are merged.
        embedder: None leaves similarity out of the score.
    """
    unique = [list(dict.fromkeys(clip)) for clip in texts]
    likelihoods = log_likelihoods(decoder, cross, unique, tokenizer)
    similarities = _similarities(unique, audio_embedding, embedder)
    verdicts = iter(default_detector().fluent([text for clip in unique for text in clip]))
    return [
        [
            Candidate(
                text=text,
                log_likelihood=likelihood,
                similarity=similarity,
                score=options.likelihood_weight * likelihood
                + options.similarity_weight * (similarity or 0.0),
                fluent=next(verdicts),
            )
            for text, likelihood, similarity in zip(*clip, strict=True)
        ]
        for clip in zip(unique, likelihoods, similarities, strict=True)
    ]


def _similarities(
    texts: Sequence[Sequence[str]], audio_embedding: Tensor, embedder: TextEmbedder | None
) -> Sequence[Sequence[float | None]]:
    """The cosine of each clip's captions with its audio embedding."""
    if embedder is None:
        return [[None] * len(clip) for clip in texts]
    vectors = embedder.embed([text for clip in texts for text in clip])
    audio = F.normalize(audio_embedding.float(), dim=-1)
    rows = vectors.to(audio.device).split([len(clip) for clip in texts])
    return [(row @ audio[clip]).tolist() for clip, row in enumerate(rows)]


def log_likelihoods(
    decoder: BartDecoder,
    cross: CrossMemory,
    texts: Sequence[Sequence[str]],
    tokenizer: CaptionTokenizer,
) -> list[list[float]]:
    """Mean log-probability per token of each clip's captions, re-tokenised and teacher-forced.

    No smoothing, no temperature, the end token counted (published section 2.4; the paper writes
    the sum, the released code takes the mean).
    """
    config = decoder.config
    most = max(len(clip) for clip in texts)
    limit = config.max_positions - 1
    rows = [
        torch.tensor([*tokenizer.encode(text)[:limit], config.eos_id])
        for clip in texts
        for text in [*clip, *[""] * (most - len(clip))]  # every clip the same number of rows
    ]
    labels = pad_sequence(rows, batch_first=True, padding_value=IGNORE_ID).to(cross.mask.device)
    inputs = decoder_inputs(labels, config.start_id, config.pad_id)
    values = (-token_nll(decoder(inputs, cross).float(), labels)).view(len(texts), most).tolist()
    return [row[: len(clip)] for row, clip in zip(values, texts, strict=True)]


def rank(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Best score first."""
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


def choose(ranked: Sequence[Candidate]) -> Candidate:
    """The first fluent candidate; the first of all when none is."""
    return next((candidate for candidate in ranked if candidate.fluent), ranked[0])
