"""A text embedder for tests."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


class HashEmbedder:
    """Without a model: each text is a fixed random direction; ``texts`` are those it was given."""

    def __init__(self, *_: object) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Tensor:
        self.texts += texts
        seeds = [sum(map(ord, text)) for text in texts]
        rows = [torch.randn(384, generator=torch.Generator().manual_seed(s)) for s in seeds]
        return F.normalize(torch.stack(rows), dim=-1)
