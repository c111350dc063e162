"""What the members of an ensemble find in a clip, and what each thinks of what any has found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from auricle.decoding.candidates import find_candidates, find_hypotheses, judge_hypotheses
from auricle.decoding.ensemble import encode_together
from auricle.decoding.rerank import score_candidates
from auricle.hub.ensemble import Ensemble
from auricle.pipeline import Captioner, Decoding
from auricle.records import Candidate
from auricle.tuning.simplex import simplex_grid

if TYPE_CHECKING:
    from auricle.audio.load import Recording

DECODES = 10  # settings of likelihood weights that are decoded where tokens are pooled

Row = tuple[float, ...]  # a weight for each member, 1 in all


@dataclass(frozen=True)
class Opinions:
    """Of one clip.

    Attributes:
        alone: of each member what it says by itself, best first.
        together: at each point of likelihood weights, what is found together as each member judges
            it, ordered by text.
    """

    alone: tuple[tuple[Candidate, ...], ...]
    together: tuple[tuple[tuple[Candidate, ...], ...], ...]


class Panel(Captioner):
    """An ensemble's captioner that keeps its members' opinions of every clip it hears.

    Each clip is encoded once, and decoded by every member alone and by all of them: once, or for
    pool "tokens" at each of its points.

    Attributes:
        points: the likelihood weights under which all decode together. CandidateTable "candidates"
            has one, the mean, for they do not change what it finds.
        opinions: of the clips that had candidates, in their order.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__(ensemble)
        self.ensemble, self.pool = ensemble, ensemble.config.pool
        self.points = token_points(len(ensemble.bundles))
        if self.pool == "candidates":
            del self.points[1:]
        self.opinions: list[Opinions] = []

    def _candidates(self, recordings: list[Recording], decoding: Decoding) -> list[list[Candidate]]:
        memories = encode_together(self.models, [r.waveform for r in recordings])
        options, seed = decoding.options, decoding.seed
        pairs = list(zip(self.scorers, memories, strict=True))
        alone = [find_candidates([scorer], [memory], options, seed) for scorer, memory in pairs]
        crosses = [v.decoder.read_memory(memory.memory, memory.lengths) for v, memory in pairs]
        together = []
        for point in self.points:
            shares = zip(self.scorers, point, strict=True)
            scorers = [replace(scorer, likelihood_weight=share) for scorer, share in shares]
            hypotheses = find_hypotheses(scorers, crosses, options, seed, self.pool)
            judged = judge_hypotheses(scorers, crosses, hypotheses, self.pool)
            if self.pool == "tokens":
                judged = judged * len(scorers)
            together.append(
                [
                    score_candidates(
                        [scorer], [memory.embedding], hypotheses, [likelihoods], options
                    )
                    for (scorer, memory), likelihoods in zip(pairs, judged, strict=True)
                ]
            )
        for clip in range(len(recordings)):
            by_text = (tuple(_by_text(member[clip]) for member in point) for point in together)
            its_own = tuple(tuple(member[clip]) for member in alone)
            self.opinions.append(Opinions(its_own, tuple(by_text)))
        return alone[0]


def token_points(members: int) -> list[Row]:
    """The mean, and the finest grid of quarters or more that has at most `DECODES` points; those
    near the mean first."""
    mean = np.full(members, 1 / members)
    grid = next(
        grid
        for parts in (4, 3, 2, 1)
        if len(grid := simplex_grid(members, parts)) <= DECODES or parts == 1
    )
    rows = sorted(grid, key=lambda row: float(np.abs(row - mean).sum()))
    rows = [mean, *(row for row in rows if not np.allclose(row, mean))]
    return [tuple(map(float, row)) for row in rows]


def _by_text(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda candidate: candidate.text))
