"""Cross-attention weights: what the decoder hears while it writes each token.

Fused attention keeps no weights, so one pass over the known tokens computes them again from the
queries that the layers make.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import cast

import torch
from torch import Tensor

from auricle.model.bart import BartDecoder, BartLayer, CrossMemory


@torch.inference_mode()
def cross_attention(decoder: BartDecoder, token_ids: Tensor, cross: CrossMemory) -> Tensor:
    """[R, L] ids, a row per clip in order -> float32 [layers, R, H, L, T]; each [T] sums to 1.

    Position i is that of the token that follows ``token_ids[:, i]``.
    """
    attentions = [cast(BartLayer, layer).cross_attention for layer in decoder.layers]
    queries: list[Tensor] = []
    with ExitStack() as stack:
        for attention in attentions:
            hook = attention.query.register_forward_hook(lambda *call: queries.append(call[-1]))
            stack.callback(hook.remove)
        decoder.hidden(token_ids, cross)
    weights = []
    for attention, query, keys in zip(attentions, queries, cross.keys, strict=True):
        split = attention.split(query).float()  # [R, H, L, D/H]
        scores = split @ keys.float().transpose(-1, -2) / split.shape[-1] ** 0.5
        weights.append(scores.masked_fill(~cross.mask, -torch.inf).softmax(dim=-1))
    return torch.stack(weights)
