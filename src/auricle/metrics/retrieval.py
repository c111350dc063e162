"""Retrieval between recordings and captions by cosine: recall and mean average precision at k."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

ROUNDING = 1e-6  # cosines of equal vectors differ by at most this
CHUNK = 1024  # queries compared at once


def recall_at(
    audio: Tensor, text: Tensor, owner: Tensor, ks: Sequence[int] = (1, 10)
) -> dict[str, float]:
    """R@k: the share of queries with a match among their k nearest.

    Args:
        audio: [N, E] embeddings of clips.
        text: [M, E] embeddings of captions.
        owner: [M] the clip of each caption.

    Returns:
        ``audio_to_text_r1`` (any caption of the clip is a match), ``text_to_audio_r1`` and so on
        for each k, from 0 to 1.
    """
    ranks = retrieval_ranks(audio, text, owner)
    return {f"{way}_r{k}": hits(found, k).mean().item() for k in ks for way, found in ranks.items()}


def retrieval_ranks(audio: Tensor, text: Tensor, owner: Tensor) -> dict[str, Tensor]:
    """For each query, the rank of its nearest match, from 1.

    Keys that are equally near but no match rank before it, and so do NaN cosines. Equal captions
    are one caption that matches all their clips: recordings of one class with the same caption do
    not count as errors.

    Returns:
        ``audio_to_text`` [N] and ``text_to_audio`` [M], int64; arguments as in `recall_at`.
    """
    distinct, which = torch.unique(text.float(), dim=0, return_inverse=True)
    owner = owner.to(which.device)
    clips, captions = F.normalize(audio.float(), dim=-1), F.normalize(distinct, dim=-1)
    return {
        "audio_to_text": _ranks(clips, captions, owner, which),
        "text_to_audio": _ranks(captions, clips, which, owner)[which],
    }


def average_precisions(
    audio: Tensor, text: Tensor, owner: Tensor, k: int = 10
) -> dict[str, Tensor]:
    """For each query, the average precision among its k nearest; the mean is mAP@k.

    Precisions at the ranks of matches are summed and divided by the possible number of matches, at
    most k (one in DCASE 2022 task 6B, from text to audio). Equally near keys and equal captions
    count as in `retrieval_ranks`.

    Returns:
        ``audio_to_text`` [N] and ``text_to_audio`` [M], float32; arguments as in `recall_at`.
    """
    distinct, which = torch.unique(text.float(), dim=0, return_inverse=True)
    owner = owner.to(which.device)
    clips, captions = F.normalize(audio.float(), dim=-1), F.normalize(distinct, dim=-1)
    return {
        "audio_to_text": _precisions(clips, captions, owner, which, k),
        "text_to_audio": _precisions(captions, clips, which, owner, k)[which],
    }


def hits(ranks: Tensor, k: int) -> Tensor:
    """1.0 for ranks up to k, else 0.0."""
    return (ranks <= k).float()


def _compared(
    queries: Tensor, keys: Tensor, of_query: Tensor, key: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Cosines of chunks of the queries [Q, E] with keys [K, E], and whether the key is a match;
    ``key[i]`` is a match of ``of_query[i]``."""
    for start in range(0, len(queries), CHUNK):
        cosines = queries[start : start + CHUNK] @ keys.T
        inside = (of_query >= start) & (of_query < start + len(cosines))
        own = torch.zeros_like(cosines, dtype=torch.bool)
        own[of_query[inside] - start, key[inside]] = True
        yield cosines, own


def _ranks(queries: Tensor, keys: Tensor, of_query: Tensor, key: Tensor) -> Tensor:
    """Ranks [Q]; arguments as in `_compared`."""
    ranks = []
    for cosines, own in _compared(queries, keys, of_query, key):
        nearest = cosines.masked_fill(~own, -torch.inf).amax(dim=1, keepdim=True)
        before = ~(cosines < nearest - ROUNDING) & ~own
        ranks.append(before.sum(dim=1) + 1)
    return torch.cat(ranks)


def _precisions(queries: Tensor, keys: Tensor, of_query: Tensor, key: Tensor, k: int) -> Tensor:
    """Average precisions [Q]; arguments as in `_compared`."""
    found = []
    for cosines, own in _compared(queries, keys, of_query, key):
        # Among equally near keys, matches come last, and NaN first.
        last = (cosines - ROUNDING).nan_to_num(-torch.inf)
        order = torch.where(own, last, cosines.nan_to_num(torch.inf))
        places = order.topk(min(k, order.shape[1]), dim=1).indices
        possible = own.sum(dim=1).clamp(max=k)
        found.append(average_precision(own.gather(1, places), possible))
    return torch.cat(found)


def average_precision(relevant: Tensor, possible: Tensor) -> Tensor:
    """[Q, K] whether the key of each rank is a match, and [Q] how many there could be -> the
    average precisions [Q]."""
    hit = relevant.float()
    precisions = hit.cumsum(dim=1) / torch.arange(1, hit.shape[1] + 1, device=hit.device)
    return (precisions * hit).sum(dim=1) / possible.clamp(min=1)
