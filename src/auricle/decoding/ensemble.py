"""Several models at one clip: what is shared is computed once, what they say is averaged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from auricle.decoding.likelihood import Likelihood
from auricle.decoding.steps import Steps
from auricle.decoding.voice import Draft
from auricle.model.captioner import AudioCaptioner, AudioMemory
from auricle.text.tokenizer import CaptionTokenizer


def encode_together(
    models: Sequence[AudioCaptioner], waveforms: Sequence[Tensor | np.ndarray]
) -> list[AudioMemory]:
    """`AudioCaptioner.encode` of the same clips by each model; an encoder they share runs once."""
    clips = [torch.as_tensor(w, dtype=torch.float32) for w in waveforms]
    device = models[0].device
    lengths = torch.tensor([len(clip) for clip in clips], device=device)
    batch = pad_sequence(clips, batch_first=True).to(device)
    heard: dict[int, tuple[Tensor, Tensor]] = {}
    memories = []
    for model in models:
        key = id(model.encoder)
        if key not in heard:
            heard[key] = model.features(batch, lengths)
        memories.append(model.encode_features(*heard[key]))
    return memories


class AveragedSteps:
    """`Steps` of several models that share a vocabulary: the logarithm of the weighted mean of
    their probabilities. Models of weight 0 are not asked.

    Raises:
        ValueError: no weight is above 0.
    """

    def __init__(self, members: Sequence[Steps], weights: Sequence[float]) -> None:
        if not sum(weights) > 0:
            raise ValueError("every weight is 0: one at least must be above 0")
        heard = [(m, w) for m, w in zip(members, weights, strict=True) if w > 0]
        self._members = [member for member, _ in heard]
        self._shares = [weight / sum(weights) for _, weight in heard]
        limit = min(member.config.max_positions for member in self._members)
        self.config = replace(self._members[0].config, max_positions=limit)
        self.clips = self._members[0].clips
        self.device = self._members[0].device

    def part(self, clips: slice) -> AveragedSteps:
        return AveragedSteps([member.part(clips) for member in self._members], self._shares)

    def begin(self, rows: int, tokens: int) -> None:
        for member in self._members:
            member.begin(rows, tokens)

    def next_logits(self, tokens: Tensor) -> Tensor:
        mixed: Tensor | None = None
        for member, share in zip(self._members, self._shares, strict=True):
            log_p = member.next_logits(tokens).log_softmax(dim=-1).add_(math.log(share))
            mixed = log_p if mixed is None else torch.logaddexp(mixed, log_p, out=mixed)
        assert mixed is not None
        return mixed

    def select(self, rows: Tensor) -> None:
        for member in self._members:
            member.select(rows)


@torch.inference_mode()
def stepped_likelihoods(
    steps: Steps, drafts: Sequence[Sequence[Draft]], tokenizer: CaptionTokenizer
) -> list[list[Likelihood]]:
    """What ``steps``, which found the drafts, think of them.

    What they gathered while searching is taken; captions that re-tokenise differently are read to
    them token by token, for there is no teacher forcing of an average.
    """
    found = []
    for clip, its_drafts in enumerate(drafts):
        unknown = [draft.text for draft in its_drafts if draft.log_probability is None]
        read = iter(_read(steps.part(slice(clip, clip + 1)), unknown, tokenizer))
        found.append(
            [
                next(read)
                if draft.log_probability is None
                else Likelihood(draft.log_probability / (len(draft.ids) + 1), draft.log_probability)
                for draft in its_drafts
            ]
        )
    return found


def _read(steps: Steps, texts: Sequence[str], tokenizer: CaptionTokenizer) -> list[Likelihood]:
    """The likelihoods of a clip's captions, one token of each at a time."""
    if not texts:
        return []
    config, device = steps.config, steps.device
    rows = [[*tokenizer.encode(text)[: config.max_positions - 1], config.eos_id] for text in texts]
    counts = [len(row) for row in rows]
    labels = torch.full((len(rows), max(counts)), config.pad_id, device=device)
    for row, ids in zip(labels, rows, strict=True):
        row[: len(ids)] = torch.tensor(ids)
    steps.begin(len(rows), max(counts))
    logits = steps.next_logits(torch.tensor([config.start_id], device=device))
    everyone = torch.zeros(len(rows), dtype=torch.long, device=device)
    steps.select(everyone)
    logits = logits[everyone]
    log_p = [logits.log_softmax(dim=-1).gather(1, labels[:, :1])]
    for place in range(1, max(counts)):
        logits = steps.next_logits(labels[:, place - 1])
        log_p.append(logits.log_softmax(dim=-1).gather(1, labels[:, place, None]))
    inside = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
    totals = torch.cat(log_p, dim=1).double().masked_fill(~inside.to(device), 0.0).sum(dim=1)
    pairs = zip(totals.tolist(), counts, strict=True)
    return [Likelihood(total / count, total) for total, count in pairs]
