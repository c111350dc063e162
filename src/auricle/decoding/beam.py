"""Beam search, and diverse beam search (Vijayakumar et al., AAAI 2018): beams in groups."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from auricle.decoding.forbidden import ForbiddenWords
from auricle.decoding.hypothesis import TokenSequence
from auricle.decoding.options import DecodeOptions
from auricle.decoding.processors import rule_out
from auricle.decoding.steps import Steps


class _Beams(NamedTuple):
    """A group's beams of B clips, best first; all [B, W].

    ``rows`` are the rows that the beams continue and ``tokens`` the tokens that continue them; the
    search ranks by ``totals``; ``raw`` are log-probabilities under the raw distribution.
    """

    rows: Tensor
    tokens: Tensor
    totals: Tensor
    raw: Tensor

    def take(self, index: Tensor) -> _Beams:
        return _Beams(*(values.gather(1, index) for values in self))


class _Next(NamedTuple):
    """The K best tokens after each row: scores, ids, and raw log-probabilities, all [R, K]."""

    scores: Tensor
    ids: Tensor
    raw: Tensor


@torch.inference_mode()
def beam_search(
    steps: Steps, options: DecodeOptions, forbidden: ForbiddenWords | None = None
) -> list[list[TokenSequence]]:
    """The ``options.candidates`` best sequences of each clip.

    A group stops when as many sequences have ended as it has beams (early stopping); a clip stops
    when all its groups have. Scores are log-probability / length ** length_penalty, minus the
    group's penalties. As in transformers 4.22.2, the length counts the start token, not the end.
    """
    config, device, clips = steps.config, steps.device, steps.clips
    groups = options.groups if options.method == "diverse-beam" else 1
    width, limit = options.candidates // groups, min(options.max_length, config.max_positions)
    ended: list[list[list[TokenSequence]]] = [[[] for _ in range(groups)] for _ in range(clips)]
    active = list(range(clips))
    steps.begin(clips * options.candidates, limit)
    prefixes = torch.full((clips, 1), config.start_id, device=device)
    rows = torch.arange(clips, device=device).unsqueeze(1)
    zeros = torch.zeros(rows.shape, device=device)
    beams = [_Beams(rows, rows, zeros, zeros)] * groups  # all groups start from a clip's one row
    while prefixes.shape[1] < limit and active:
        following = _following(steps, prefixes, options, forbidden)
        length = prefixes.shape[1] ** options.length_penalty
        done = [[len(group) >= width for group in ended[clip]] for clip in active]
        chosen = prefixes.new_empty(len(active), 0)
        for group in range(groups):
            # Twice as many as beams: enough remain when half of them end.
            grown = _grow(beams[group], following, chosen, options.diversity_penalty, 2 * width)
            is_end = grown.tokens == config.eos_id
            for place, rank in is_end[:, :width].nonzero().tolist():
                if not done[place][group]:
                    ids = prefixes[grown.rows[place, rank], 1:].tolist()
                    raw, total = float(grown.raw[place, rank]), float(grown.totals[place, rank])
                    ended[active[place]][group].append(TokenSequence(ids, raw, total / length))
            unfinished = torch.argsort(is_end.int(), dim=-1, stable=True)[:, :width]  # best first
            beams[group] = grown.take(unfinished)
            chosen = torch.cat([chosen, beams[group].tokens], dim=1)
        left = [i for i, clip in enumerate(active) if min(map(len, ended[clip])) < width]
        active = [active[i] for i in left]
        if active:
            source = torch.cat([group.rows[left] for group in beams], dim=1)  # [B, beams]
            steps.select(source.flatten())
            prefixes = torch.cat([prefixes[source.flatten()], chosen[left].view(-1, 1)], dim=1)
            rows = torch.arange(source.numel(), device=device).view(source.shape)
            beams = [
                _Beams(own, group.tokens[left], group.totals[left], group.raw[left])
                for own, group in zip(rows.split(width, dim=1), beams, strict=True)
            ]
    for place, clip in enumerate(active):  # clips that reached the maximum length
        for sequences, last in zip(ended[clip], beams, strict=True):
            if len(sequences) < width:
                for row, total in zip(last.rows[place], last.totals[place], strict=True):
                    score = float(total) / prefixes.shape[1] ** options.length_penalty
                    sequences.append(TokenSequence(prefixes[row, 1:].tolist(), None, score))
    return [_best([s for group in clip for s in _best(group, width)]) for clip in ended]


def _following(
    steps: Steps, prefixes: Tensor, options: DecodeOptions, forbidden: ForbiddenWords | None
) -> _Next:
    """Enough tokens after each row for every group to find its best, whatever its penalties."""
    eos_id = steps.config.eos_id
    scores = steps.next_logits(prefixes[:, -1]).log_softmax(dim=-1)
    end = scores[:, eos_id, None].clone()  # before it may be ruled out
    rule_out(scores, prefixes, eos_id, options, forbidden)
    best, ids = scores.topk(min(2 * options.candidates, scores.shape[1]), dim=-1)
    return _Next(best, ids, torch.where(ids == eos_id, end, best))


def _grow(beams: _Beams, following: _Next, chosen: Tensor, penalty: float, most: int) -> _Beams:
    """The best continuations of a group's beams; a token costs ``penalty`` for each time that it
    stands in ``chosen`` [B, M], the tokens of earlier groups (Hamming diversity)."""
    scores, ids, raw = (values[beams.rows] for values in following)  # [B, W, K]
    totals = beams.totals.unsqueeze(-1) + scores
    if chosen.shape[1]:
        totals = totals - penalty * (ids.unsqueeze(-1) == chosen[:, None, None]).sum(dim=-1)
    best, index = totals.flatten(1).topk(min(most, totals[0].numel()), dim=-1)
    raws = beams.raw.unsqueeze(-1) + raw
    return _Beams(
        beams.rows.gather(1, index // scores.shape[-1]),
        ids.flatten(1).gather(1, index),
        best,
        raws.flatten(1).gather(1, index),
    )


def _best(sequences: list[TokenSequence], most: int | None = None) -> list[TokenSequence]:
    return sorted(sequences, key=_score, reverse=True)[:most]


def _score(sequence: TokenSequence) -> float:
    assert sequence.score is not None
    return sequence.score
