"""The fit of reranking weights on a validation manifest, and its gain on held-out clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from auricle.decoding.options import RerankWeights
from auricle.metrics.bootstrap import Interval, bootstrap
from auricle.tuning.candidate_table import CandidateTable
from auricle.tuning.clips import ClipCandidates
from auricle.tuning.folds import folds
from auricle.tuning.simplex import search_simplex
from auricle.tuning.worth import metric

PAPER = RerankWeights()
FITTED, PAPERS, OWN = "fitted, on clips held out", "the paper's weights", "the model's own weights"


@dataclass(frozen=True)
class RerankFit:
    """Fitted weights and their comparison.

    Attributes:
        weights: fitted on all clips.
        metric: the name of the metric that they maximise.
        rows: the metric of several ways to choose, with 95 % intervals over the clips.
        gain: of the fitted weights over the paper's on held-out clips, paired by clip.
        by_fold: the weights for each fold, fitted on the other folds.
    """

    weights: RerankWeights
    metric: str
    clips: int
    folds: int
    rows: dict[str, Interval]
    gain: Interval
    by_fold: tuple[RerankWeights, ...]

    @property
    def verdict(self) -> str:
        """One sentence: whether the fitted weights are better."""
        value, low, high = self.gain
        gain = f"{value:+.3f} (95 % interval {low:+.3f} to {high:+.3f})"
        if low > 0:
            return f"gain over the paper's weights on held-out clips: {gain}"
        if high < 0:
            return f"WORSE than the paper's weights on held-out clips: {gain}; keep the paper's"
        return (
            f"no gain over the paper's weights that {self.clips} clips can show: {gain}; "
            "keep the paper's, or tune on more clips"
        )

    def to_json(self) -> dict[str, object]:
        """The content of the report beside a model."""
        return asdict(self) | {
            "rows": {name: row._asdict() for name, row in self.rows.items()},
            "gain": self.gain._asdict(),
            "verdict": self.verdict,
        }


def fit_rerank(
    clips: Sequence[ClipCandidates],
    metric_name: str = "cider_d",
    fold_count: int = 5,
    seed: int = 0,
    own: RerankWeights = PAPER,
) -> RerankFit:
    """Fit the weights of all terms that the candidates have.

    Args:
        own: the model's own weights; they get a row if they are not the paper's.

    Raises:
        DataError: there are too few clips.
    """
    fold = folds([clip.group for clip in clips], fold_count, seed)
    label, of = metric(metric_name)
    pool = CandidateTable.of(clips, of(clips))
    held_out, by_fold = np.empty(len(pool)), []
    for number in range(fold_count):
        row = fit_weights(pool.of_clips(fold != number))
        held_out[fold == number] = pool.of_clips(fold == number).earned(row)
        by_fold.append(pool.weights(row))
    papers = pool.earned(pool.row(asdict(PAPER)))
    ways = {FITTED: held_out, PAPERS: papers}
    if own != PAPER:
        ways[OWN] = pool.earned(pool.row(asdict(own)))
    for name in pool.names:
        ways[f"{name.replace('_', ' ')} alone"] = pool.earned(pool.row({name: 1.0}))
    ways |= {"a random candidate": pool.random(), "the best candidate (oracle)": pool.oracle()}
    return RerankFit(
        weights=pool.weights(fit_weights(pool)),
        metric=label,
        clips=len(pool),
        folds=fold_count,
        rows={name: bootstrap(values, seed=seed) for name, values in ways.items()},
        gain=bootstrap(held_out - papers, seed=seed),
        by_fold=tuple(by_fold),
    )


def fit_weights(pool: CandidateTable) -> np.ndarray:
    """[T] the weights, with sum 1, that give the pool's captions the highest metric.

    The search divides each term by its spread, so a step has the same size in all.
    """
    spread = pool.spread()
    useful = spread > 1e-9
    scale = np.where(useful, 1 / np.where(useful, spread, 1.0), 0.0)
    start = _to_one(pool.row(asdict(PAPER)) * spread)

    def value(settings: np.ndarray) -> np.ndarray:
        return pool.mean_earned(settings * scale)

    return np.round(_to_one(search_simplex(value, start) * scale), 4)


def _to_one(row: np.ndarray) -> np.ndarray:
    total = row.sum()
    return row / total if total > 0 else np.full(len(row), 1 / len(row))
