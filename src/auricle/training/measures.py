"""What was measured of a model on clips it was not trained on, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from auricle.metrics.bootstrap import Interval, bootstrap
from auricle.metrics.cider import cider_d_simple
from auricle.metrics.retrieval import hits, retrieval_ranks
from auricle.training.config import TrainingConfig
from auricle.training.losses import info_nce

if TYPE_CHECKING:
    from auricle.training.paired import Embed

RECALL_AT = (1, 10)


@dataclass(frozen=True)
class ClipCaption:
    """What the model said of a clip, and what people did; ``index``: its place in the manifests."""

    index: int
    id: str
    audio: Path
    caption: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Validation:
    """What was measured over ``clips`` clips.

    Attributes:
        losses: "nll" (label-smoothed, per token of every caption), "info_nce" and their weighted
            sum "loss", as in training and without dropout.
        recall: "audio_to_text_r1" and so on, from 0 to 1 (see `auricle.metrics.retrieval`).
        captions: of the clips that were captioned, in the order of the manifests.
        cider_d: of those captions; None if there are fewer than two.
        intervals: value and 95 % interval of "nll", each recall and "cider_d".
    """

    clips: int
    losses: dict[str, float]
    recall: dict[str, float] = field(default_factory=dict)
    captions: tuple[ClipCaption, ...] = ()
    cider_d: float | None = None
    intervals: dict[str, Interval] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """What `ValidationConfig.monitor` may name, as far as it was measured."""
        found = dict(self.losses)
        if self.recall:
            found["recall"] = self.recall["audio_to_text_r1"]
        if self.cider_d is not None:
            found["cider_d"] = self.cider_d
        return found


@dataclass(frozen=True)
class HeardClip:
    """What a model makes of a clip.

    Attributes:
        index: its place in the manifests.
        nll: label-smoothed, summed over the ``tokens`` of all captions.
        embedding: [E] float32.
        said: the model's caption, if it was asked for one.
    """

    index: int
    id: str
    audio: Path
    captions: tuple[str, ...]
    nll: float
    tokens: int
    embedding: Tensor
    said: str | None


def measure(
    clips: Sequence[HeardClip], embed: Embed | None, training: TrainingConfig
) -> Validation:
    """Everything that `Validation` holds, of at least one clip.

    InfoNCE's negatives are, as in training, the clips of a batch of ``training.batch_size``, drawn
    once and for all; each clip stands there with its first caption. ``embed`` may be None, which
    leaves out InfoNCE and retrieval.
    """
    intervals = {
        "nll": bootstrap([c.nll / c.tokens for c in clips], [c.tokens for c in clips]),
    }
    losses = {"nll": intervals["nll"].value}
    if embed is not None:
        text = embed([text for clip in clips for text in clip.captions]).float().cpu()
        audio = torch.stack([clip.embedding for clip in clips])
        firsts = [0, *accumulate(len(clip.captions) for clip in clips[:-1])]
        losses["info_nce"] = _info_nce(audio, text[firsts], training)
        intervals |= _recalls(audio, text, [len(clip.captions) for clip in clips])
    weights = {"nll": training.nll_weight, "info_nce": training.info_nce_weight}
    losses["loss"] = sum(weights[name] * value for name, value in losses.items())
    said = [
        ClipCaption(c.index, c.id, c.audio, c.said, c.captions) for c in clips if c.said is not None
    ]
    if len(said) > 1:  # one clip alone scores 0, whatever is said of it
        _, scores = cider_d_simple([c.caption for c in said], [c.references for c in said])
        intervals["cider_d"] = bootstrap(scores)
    values = {name: interval.value for name, interval in intervals.items()}
    return Validation(
        clips=len(clips),
        losses=losses,
        recall={name: value for name, value in values.items() if "_to_" in name},
        captions=tuple(said),
        cider_d=values.get("cider_d"),
        intervals=intervals,
    )


def _info_nce(audio: Tensor, text: Tensor, training: TrainingConfig) -> float:
    """The mean over batches of clips drawn once; what does not fill one is left out."""
    order = np.random.default_rng(0).permutation(len(audio))
    size = min(training.batch_size, len(order))
    whole = torch.from_numpy(order[: len(order) // size * size]).view(-1, size)
    values = [info_nce(audio[rows], text[rows], training.temperature) for rows in whole]
    return torch.stack(values).mean().item()


def _recalls(audio: Tensor, text: Tensor, counts: Sequence[int]) -> dict[str, Interval]:
    """Recall with its interval; a clip's captions stay together when clips are drawn again."""
    owner = torch.arange(len(audio)).repeat_interleave(torch.tensor(counts))
    ranks = retrieval_ranks(audio, text, owner)
    found = {}
    for k in RECALL_AT:
        found[f"audio_to_text_r{k}"] = bootstrap(hits(ranks["audio_to_text"], k).numpy())
        per_clip = hits(ranks["text_to_audio"], k).split(list(counts))
        found[f"text_to_audio_r{k}"] = bootstrap([c.mean().item() for c in per_clip], counts)
    return found
