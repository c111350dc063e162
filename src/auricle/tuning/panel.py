"""The panel of an ensemble's members: the captions that each finds, and each member's scores of all
captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from auricle.data.clip import Clip
from auricle.decoding.candidates import find_candidates, find_hypotheses, judge_hypotheses
from auricle.decoding.rerank import score_candidates
from auricle.hearing import Heard, HeardBatch, hear_each
from auricle.records import Candidate
from auricle.tuning.clips import ClipCandidates, usable
from auricle.tuning.simplex import simplex_grid
from auricle.watch import Watch

if TYPE_CHECKING:
    from auricle.pipeline import Captioner
    from auricle.settings import Decoding

DECODES = 10  # settings of likelihood weights to decode if tokens are pooled

Row = tuple[float, ...]  # a weight per member, sum 1


@dataclass(frozen=True)
class Opinions:
    """The members' candidates and scores for one clip.

    Attributes:
        clip: its references and the first member's candidates.
        alone: each member's own candidates, best first.
        together: per point of likelihood weights, the candidates of all members as each member
            scores them, ordered by text.
    """

    clip: ClipCandidates
    alone: tuple[tuple[Candidate, ...], ...]
    together: tuple[tuple[tuple[Candidate, ...], ...], ...]


class Panel:
    """The members of a captioner's ensemble, which all decode and score every clip.

    Each clip is encoded once, and decoded by each member alone and by all together: once, or for
    pool "tokens" at each of its points.

    Attributes:
        points: the likelihood weights of decoding together. Pool "candidates" has only the mean,
            because its candidates do not depend on them.
    """

    def __init__(self, captioner: Captioner) -> None:
        self.captioner, self.ensemble = captioner, captioner.ensemble
        self.pool = self.ensemble.config.pool
        self.points = token_points(len(captioner.models))
        if self.pool == "candidates":
            del self.points[1:]

    def hear(
        self,
        clips: Sequence[Clip],
        *,
        candidates: int | None = None,
        seed: int = 0,
        watch: Watch | None = None,
    ) -> list[Opinions]:
        """The opinions on every clip; clips that are unreadable or silent are noted."""
        decoding = self.captioner.decoding(candidates=candidates, seed=seed)
        found = hear_each(self.captioner.models, clips, partial(self._ask, decoding=decoding))
        return [opinions for _, opinions in usable(found, len(clips), watch or Watch())]

    @torch.inference_mode()
    def _ask(
        self, batch: HeardBatch[Clip], decoding: Decoding
    ) -> list[tuple[Heard[Clip], Opinions | None]]:
        if not batch.audible:
            return [(heard, None) for heard in batch.heard]
        options, seed = decoding.options, decoding.seed
        memories = batch.memories_of(batch.audible)
        pairs = list(zip(self.captioner.scorers, memories, strict=True))
        alone = [find_candidates([scorer], [memory], options, seed) for scorer, memory in pairs]
        crosses = [s.decoder.read_memory(memory.memory, memory.lengths) for s, memory in pairs]
        together = []
        for point in self.points:
            scorers = [
                replace(scorer, likelihood_weight=share)
                for scorer, share in zip(self.captioner.scorers, point, strict=True)
            ]
            hypotheses = find_hypotheses(scorers, crosses, options, seed, self.pool)
            judged = judge_hypotheses(scorers, crosses, hypotheses, self.pool)
            if self.pool == "tokens":
                judged = judged * len(scorers)
            together.append(
                [
                    score_candidates([scorer], [memory.embedding], hypotheses, [own], options)
                    for (scorer, memory), own in zip(pairs, judged, strict=True)
                ]
            )
        opinions: dict[int, Opinions] = {
            row: Opinions(
                ClipCandidates.of(batch.heard[row].source, alone[0][clip]),
                tuple(tuple(member[clip]) for member in alone),
                tuple(tuple(_by_text(member[clip]) for member in point) for point in together),
            )
            for clip, row in enumerate(batch.audible)
        }
        return [(heard, opinions.get(row)) for row, heard in enumerate(batch.heard)]


def token_points(members: int) -> list[Row]:
    """The mean, then the points of the finest grid (of quarters or coarser) with at most `DECODES`
    points, nearest to the mean first."""
    mean = np.full(members, 1 / members)
    grid = next(
        grid
        for parts in (4, 3, 2, 1)
        if len(grid := simplex_grid(members, parts)) <= DECODES or parts == 1
    )
    rows = sorted(grid, key=lambda row: float(np.abs(row - mean).sum()))
    rows = [mean, *(row for row in rows if not np.allclose(row, mean))]
    return [tuple(map(float, row)) for row in rows]


def _by_text(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda candidate: candidate.text))
