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

    ``rows`` are those that they continue, ``tokens`` with what; ``totals`` are what is searched by,
    ``raw`` the log-probabilities under the raw distribution.
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

    A group is done once as many of its beams have ended as it has (early stopping), a clip once its
    groups are. Scores are log-probability / length ** length_penalty, the length counting the start
    token and not the end (as transformers 4.22.2 does), less what the group was penalised.
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
    beams = [_Beams(rows, rows, zeros, zeros)] * groups  # all groups begin in a clip's one row
    while prefixes.shape[1] < limit and active:
        following = _following(steps, prefixes, options, forbidden)
        length = prefixes.shape[1] ** options.length_penalty
        done = [[len(group) >= width for group in ended[clip]] for clip in active]
        said = prefixes.new_empty(len(active), 0)
        for group in range(groups):
            # Twice as many as beams, so that enough remain when half of them end.
            grown = _grow(beams[group], following, said, options.diversity_penalty, 2 * width)
            is_end = grown.tokens == config.eos_id
            for place, rank in is_end[:, :width].nonzero().tolist():
                if not done[place][group]:
                    ids = prefixes[grown.rows[place, rank], 1:].tolist()
                    raw, total = float(grown.raw[place, rank]), float(grown.totals[place, rank])
                    ended[active[place]][group].append(TokenSequence(ids, raw, total / length))
            going_on = torch.argsort(is_end.int(), dim=-1, stable=True)[:, :width]  # best first
            beams[group] = grown.take(going_on)
            said = torch.cat([said, beams[group].tokens], dim=1)
        left = [i for i, clip in enumerate(active) if min(map(len, ended[clip])) < width]
        active = [active[i] for i in left]
        if active:
            source = torch.cat([group.rows[left] for group in beams], dim=1)  # [B, beams]
            steps.select(source.flatten())
            prefixes = torch.cat([prefixes[source.flatten()], said[left].view(-1, 1)], dim=1)
            rows = torch.arange(source.numel(), device=device).view(source.shape)
            beams = [
                _Beams(own, group.tokens[left], group.totals[left], group.raw[left])
                for own, group in zip(rows.split(width, dim=1), beams, strict=True)
            ]
    for place, clip in enumerate(active):  # those that ran into the longest sequence there is
        for sequences, last in zip(ended[clip], beams, strict=True):
            if len(sequences) < width:
                for row, total in zip(last.rows[place], last.totals[place], strict=True):
                    score = float(total) / prefixes.shape[1] ** options.length_penalty
                    sequences.append(TokenSequence(prefixes[row, 1:].tolist(), None, score))
    return [_best([s for group in clip for s in _best(group, width)]) for clip in ended]


def _following(
    steps: Steps, prefixes: Tensor, options: DecodeOptions, forbidden: ForbiddenWords | None
) -> _Next:
    """So many tokens after each row that every group finds its best among them, whatever it is
    penalised for."""
    eos_id = steps.config.eos_id
    scores = steps.next_logits(prefixes[:, -1]).log_softmax(dim=-1)
    end = scores[:, eos_id, None].clone()  # as it is before it may be ruled out
    rule_out(scores, prefixes, eos_id, options, forbidden)
    best, ids = scores.topk(min(2 * options.candidates, scores.shape[1]), dim=-1)
    return _Next(best, ids, torch.where(ids == eos_id, end, best))


def _grow(beams: _Beams, following: _Next, said: Tensor, penalty: float, most: int) -> _Beams:
    """The best continuations of a group's beams; a token of ``said`` [B, M] costs ``penalty`` for
    each time that it is there (Hamming diversity)."""
    scores, ids, raw = (values[beams.rows] for values in following)  # [B, W, K]
    totals = beams.totals.unsqueeze(-1) + scores
    if said.shape[1]:
        totals = totals - penalty * (ids.unsqueeze(-1) == said[:, None, None]).sum(dim=-1)
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
