"""Several models that search as one: the average of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from auricle.decoding.hypothesis import Hypothesis
from auricle.decoding.likelihood import ROWS_TOGETHER, Likelihood
from auricle.decoding.steps import Steps
from auricle.text.tokenizer import CaptionTokenizer


class AveragedSteps:
    """`Steps` of several models with one vocabulary: the logarithm of the weighted mean of their
    probabilities. Models of weight 0 do not run.

    Raises:
        ValueError: no weight is above 0.
    """

    def __init__(self, members: Sequence[Steps], weights: Sequence[float]) -> None:
        if not sum(weights) > 0:
            raise ValueError("every weight is 0: one at least must be above 0")
        used = [(m, w) for m, w in zip(members, weights, strict=True) if w > 0]
        self._members = [member for member, _ in used]
        self._shares = [weight / sum(weights) for _, weight in used]
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
    steps: Steps, hypotheses: Sequence[Sequence[Hypothesis]], tokenizer: CaptionTokenizer
) -> list[list[Likelihood]]:
    """The likelihoods of hypotheses under the ``steps`` that found them.

    The search already summed the probabilities of most; captions that re-tokenise differently are
    scored token by token, because an average has no teacher forcing.
    """
    unknown = [
        (clip, hypothesis.text)
        for clip, its_hypotheses in enumerate(hypotheses)
        for hypothesis in its_hypotheses
        if hypothesis.log_probability is None
    ]
    read: list[Likelihood] = []
    for i in range(0, len(unknown), ROWS_TOGETHER):
        read += _read(steps, unknown[i : i + ROWS_TOGETHER], tokenizer)
    found = iter(read)
    return [
        [
            next(found)
            if hypothesis.log_probability is None
            else Likelihood(
                hypothesis.log_probability / (len(hypothesis.ids) + 1), hypothesis.log_probability
            )
            for hypothesis in its_hypotheses
        ]
        for its_hypotheses in hypotheses
    ]


def _read(
    steps: Steps, captions: Sequence[tuple[int, str]], tokenizer: CaptionTokenizer
) -> list[Likelihood]:
    """The likelihoods of (clip, caption) pairs, ordered by clip; one token of each per step."""
    first, last = captions[0][0], captions[-1][0]
    steps = steps.part(slice(first, last + 1))
    config, device = steps.config, steps.device
    limit = config.max_positions - 1
    rows = [[*tokenizer.encode(text)[:limit], config.eos_id] for _, text in captions]
    sequences = [torch.tensor(row) for row in rows]
    labels = pad_sequence(sequences, batch_first=True, padding_value=config.pad_id).to(device)
    clips = torch.tensor([clip - first for clip, _ in captions], device=device)
    steps.begin(max(len(rows), steps.clips), labels.shape[1])
    logits = steps.next_logits(torch.full((steps.clips,), config.start_id, device=device))[clips]
    steps.select(clips)
    log_p = []
    for place, ids in enumerate(labels.T):
        if place:
            logits = steps.next_logits(labels[:, place - 1])
        log_p.append(logits.log_softmax(dim=-1).gather(1, ids[:, None]).squeeze(1).double())
    found = []
    for row, values in zip(rows, torch.stack(log_p, dim=1).tolist(), strict=True):
        total = math.fsum(values[: len(row)])
        found.append(Likelihood(total / len(row), total))
    return found
