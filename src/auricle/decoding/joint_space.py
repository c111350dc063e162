"""The space of sounds and captions: in it their cosine is the similarity of a candidate.

A model embeds sounds where its text embedder puts captions. For an ensemble, the unit vectors of
the members, each scaled by the root of its share, form one vector, whose cosines are the weighted
means of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from auricle.decoding.hypothesis import Scorer
from auricle.errors import ModelError
from auricle.model.captioner import AudioMemory
from auricle.text.embedder import TextEmbedder


class Embeds(Protocol):
    """What embeds texts: a `Scorer`, or the text side of a model alone."""

    @property
    def name(self) -> str: ...
    @property
    def embedder(self) -> TextEmbedder | None: ...
    @property
    def similarity_weight(self) -> float: ...


def sound_vectors(scorers: Sequence[Scorer], memories: Sequence[AudioMemory]) -> Tensor:
    """The B clips of ``memories``, one per scorer -> unit vectors [B, E], float32 on the CPU.

    Raises:
        ModelError: no scorer has a text embedder.
    """
    pairs = zip(scorers, memories, strict=True)
    return joined(scorers, [memory.embedding for scorer, memory in pairs if scorer.embedder])


def text_vectors(scorers: Sequence[Embeds], captions: Sequence[str]) -> Tensor:
    """N captions -> unit vectors [N, E], float32 on the CPU.

    Raises:
        ModelError: no scorer has a text embedder.
    """
    return joined(scorers, [s.embedder.embed(captions) for s in scorers if s.embedder])


def joined(scorers: Sequence[Embeds], embeddings: Sequence[Tensor]) -> Tensor:
    """[N, E_i] by each scorer with a text embedder -> unit vectors [N, sum of E_i]."""
    if not embeddings:
        names = ", ".join(scorer.name for scorer in scorers)
        raise ModelError(
            f"{names}: no text embedder, so sounds and captions have no common space; load a model "
            "whose config.json names a text_embedder"
        )
    weights = torch.tensor([s.similarity_weight for s in scorers if s.embedder])
    shares = (weights / weights.sum()).sqrt().tolist()
    unit = [F.normalize(embedding.float(), dim=-1).cpu() for embedding in embeddings]
    return torch.cat([share * rows for share, rows in zip(shares, unit, strict=True)], dim=-1)
