"""Logits processors, applied before a token is chosen, in the published order.

no repeated n-grams -> minimum length -> forced end at the last position (all methods), then
temperature -> top-k -> top-p (sampling only): the chain of transformers 4.22.2 under the published
configuration. Forbidden words (`auricle.decoding.forbidden`) come before the forced end.
"""

from __future__ import annotations

import torch
from torch import Tensor

from auricle.decoding.forbidden import ForbiddenWords
from auricle.decoding.options import DecodeOptions


def constrain(scores: Tensor, tokens: Tensor, eos_id: int, options: DecodeOptions) -> Tensor:
    """`rule_out` on a copy of ``scores``."""
    return rule_out(scores.clone(), tokens, eos_id, options)


def rule_out(
    scores: Tensor,
    tokens: Tensor,
    eos_id: int,
    options: DecodeOptions,
    forbidden: ForbiddenWords | None = None,
) -> Tensor:
    """Rule tokens out: ``scores`` [R, V] of the token after ``tokens`` [R, t] -> [R, V], in place.

    ``tokens`` includes the start token. The scores of ruled-out tokens become -inf.
    """
    n, length = options.no_repeat_ngram, tokens.shape[1]
    if length == options.max_length - 1:
        scores.fill_(-torch.inf)
        scores[:, eos_id] = 0.0
        return scores
    if n and length >= n:
        ngrams = tokens.unfold(1, n, 1)  # [R, t-n+1, n]
        seen = (ngrams[..., :-1] == tokens[:, None, length - n + 1 :]).all(dim=-1)
        row, position = seen.nonzero(as_tuple=True)
        scores[row, ngrams[row, position, -1]] = -torch.inf
    if length < options.min_length:
        scores[:, eos_id] = -torch.inf
    if forbidden:
        forbidden.rule_out(scores, tokens[:, 1:])
    return scores


def nucleus(scores: Tensor, options: DecodeOptions) -> tuple[Tensor, Tensor]:
    """Temperature, top-k and top-p: [R, V] -> probabilities [R, K], descending, and ids [R, K].

    The most probable token always stays (Holtzman et al., ICLR 2020). Scores may be logits or
    log-probabilities.
    """
    k = min(options.top_k or scores.shape[-1], scores.shape[-1])
    values, ids = scores.topk(k, dim=-1)
    probabilities = (values / options.temperature).softmax(dim=-1)
    mass_before = probabilities.cumsum(dim=-1) - probabilities
    outside = mass_before > options.top_p
    outside[:, 0] = False
    probabilities = probabilities.masked_fill(outside, 0.0)
    return probabilities / probabilities.sum(dim=-1, keepdim=True), ids
