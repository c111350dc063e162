"""Nucleus sampling and greedy decoding, with each distinct prefix computed once.

Samples of a clip with the same tokens so far share one row, which branches when their draws differ.
Each sample has its own uniform draws, so the result equals independent samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from auricle.decoding.forbidden import ForbiddenWords
from auricle.decoding.hypothesis import TokenSequence
from auricle.decoding.options import DecodeOptions
from auricle.decoding.processors import nucleus, rule_out
from auricle.decoding.steps import Steps


class Drawn(NamedTuple):
    """One step of the S samples that have not ended.

    Attributes:
        samples: [S] their numbers, those of a clip in a row.
        tokens: [S] the token that each drew.
        log_probabilities: [S] of these tokens under the raw distribution.
    """

    samples: Tensor
    tokens: Tensor
    log_probabilities: Tensor


def sample(
    steps: Steps, options: DecodeOptions, seed: int = 0, forbidden: ForbiddenWords | None = None
) -> list[list[TokenSequence]]:
    """``options.candidates`` nucleus samples of each clip as drawn, or its one greedy sequence."""
    each = samples_per_clip(options)
    ids: list[list[int]] = [[] for _ in range(steps.clips * each)]
    totals = torch.zeros(len(ids), device=steps.device)
    for drawn in draws(steps, options, seed, forbidden):
        totals[drawn.samples] += drawn.log_probabilities
        for number, token in zip(drawn.samples.tolist(), drawn.tokens.tolist(), strict=True):
            ids[number].append(token)
    eos_id = steps.config.eos_id
    found = [
        TokenSequence(tokens[:-1], total) if tokens[-1:] == [eos_id] else TokenSequence(tokens)
        for tokens, total in zip(ids, totals.tolist(), strict=True)
    ]
    return [found[i : i + each] for i in range(0, len(found), each)]


def samples_per_clip(options: DecodeOptions) -> int:
    return 1 if options.method == "greedy" else options.candidates


@torch.inference_mode()
def draws(
    steps: Steps, options: DecodeOptions, seed: int, forbidden: ForbiddenWords | None = None
) -> Iterator[Drawn]:
    """Draw token after token until every sample has ended.

    Every clip draws the same random numbers, so its samples do not depend on the batch.
    """
    config, each = steps.config, samples_per_clip(options)
    limit = min(options.max_length, config.max_positions)
    generator = torch.Generator().manual_seed(seed)
    steps.begin(steps.clips * each, limit)
    samples = torch.arange(steps.clips * each, device=steps.device)
    row = samples // each  # the row of each sample's prefix
    prefixes = torch.full((steps.clips, 1), config.start_id, device=steps.device)
    while prefixes.shape[1] < limit and len(samples):
        scores = steps.next_logits(prefixes[:, -1]).log_softmax(dim=-1)
        end = scores[:, config.eos_id].clone()  # before it may be ruled out
        rule_out(scores, prefixes, config.eos_id, options, forbidden)
        if options.method == "greedy":
            token = scores.argmax(dim=-1)[row]
        else:
            uniform = torch.rand(each, generator=generator).to(steps.device)
            token = _pick(*nucleus(scores, options), row, uniform[samples % each])
        ends = token == config.eos_id
        yield Drawn(samples, token, torch.where(ends, end[row], scores[row, token]))
        samples, row, token = samples[~ends], row[~ends], token[~ends]
        if len(samples):
            row, source, token = _branch(row, token, config.vocab_size)
            steps.select(source)
            prefixes = torch.cat([prefixes[source], token.unsqueeze(1)], dim=1)


def _pick(probabilities: Tensor, ids: Tensor, row: Tensor, uniform: Tensor) -> Tensor:
    """[S] ids: where the cumulative probability of a sample's row passes the sample's draw."""
    passed = (probabilities.cumsum(dim=-1)[row] <= uniform.unsqueeze(1)).sum(dim=-1)
    last = (probabilities > 0).sum(dim=-1) - 1  # rounding may leave the sum below 1
    return ids[row, torch.minimum(passed, last[row])]


def _branch(row: Tensor, token: Tensor, vocab_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The rows and drawn tokens of samples [S] -> the new row of each sample [S]; for each new row
    [R], the row that it continues and its token.

    A row's first continuation keeps its place if possible, which saves a copy.
    """
    pairs, branch = (row * vocab_size + token).unique(return_inverse=True)
    parent, token = pairs // vocab_size, pairs % vocab_size  # sorted by parent
    rows = len(pairs)
    first = torch.ones_like(parent, dtype=torch.bool)
    first[1:] = parent[1:] != parent[:-1]
    stays = first & (parent < rows)
    free = torch.ones_like(stays)
    free[parent[stays]] = False
    place = torch.empty_like(parent)
    place[stays], place[~stays] = parent[stays], free.nonzero().flatten()
    source, new_token = torch.empty_like(parent), torch.empty_like(token)
    source[place], new_token[place] = parent, token
    return place[branch], source, new_token
