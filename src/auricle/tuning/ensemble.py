"""The fit of ensemble weights on a validation manifest, and its gain on held-out clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain

import numpy as np

from auricle.decoding.options import DecodeOptions, RerankWeights
from auricle.decoding.rerank import choose
from auricle.errors import DataError
from auricle.hub.ensemble import Ensemble, ensemble_card
from auricle.markdown import escape, table
from auricle.metrics.bootstrap import Interval, bootstrap
from auricle.records import Candidate
from auricle.tuning.candidate_table import CandidateTable
from auricle.tuning.clips import ClipCandidates
from auricle.tuning.folds import folds
from auricle.tuning.panel import Opinions, Panel, Row
from auricle.tuning.simplex import DIVISIONS, search_simplex, simplex_grid
from auricle.tuning.worth import Worth, metric

GRID = 300  # weight settings to try before the best one is refined
MEAN, FITTED = "the mean of all", "fitted, on clips held out"
ORACLE = "the best candidate (oracle)"
DISAGREEMENT = 0.5  # a larger difference between folds in a member's share is reported
LIKELIHOOD, SIMILARITY = ("likelihood", "summed_likelihood"), ("similarity", "agreement")


@dataclass(frozen=True)
class Weights:
    """Each member's shares in likelihood and in similarity."""

    likelihood: Row
    similarity: Row

    @classmethod
    def mean(cls, members: int) -> Weights:
        return cls((1 / members,) * members, (1 / members,) * members)

    def row(self) -> np.ndarray:
        """[2M + 1] in the order of the terms of `Trials`."""
        return np.array([*self.likelihood, *self.similarity, 1.0])


@dataclass(frozen=True, eq=False)
class Trials:
    """The candidates of all clips in tables, where weights choose captions by lookup.

    Attributes:
        tables: one per decoded point of likelihood weights. Their terms are the likelihood by each
            of M members, the similarity by each, and the sum of the others with the ensemble's
            weights.
        free: whether the likelihood weights are free, or fixed to those of the point.
    """

    tables: dict[Row, CandidateTable]
    free: bool

    @classmethod
    def of(
        cls,
        opinions: Sequence[Opinions],
        panel: Panel,
        worth: Sequence[Worth],
    ) -> Trials:
        """``worth``: of the candidates that the members found together, per point."""
        rerank = panel.ensemble.decoding.rerank
        clips = [own.clip for own in opinions]
        tables = {}
        for number, point in enumerate(panel.points):
            judged = [own.together[number] for own in opinions]
            tables[point] = _table(clips, judged, worth[number], rerank)
        return cls(tables, panel.pool == "candidates")

    def earned(self, weights: Weights) -> np.ndarray:
        """[C] the metric of each clip's caption."""
        point = next(iter(self.tables)) if self.free else weights.likelihood
        return self.tables[point].earned(weights.row())

    def oracle(self) -> np.ndarray:
        """[C] the metric of the best candidate."""
        best: np.ndarray = np.max([table.oracle() for table in self.tables.values()], axis=0)
        return best

    def fit(self, clips: np.ndarray) -> Weights:
        """The weights with the highest metric on ``clips``, a mask; of equals, those nearest to the
        mean."""
        fitted = [self._fit(point, table.of_clips(clips)) for point, table in self.tables.items()]
        return max(fitted, key=lambda found: found[0])[1]

    def _fit(self, point: Row, table: CandidateTable) -> tuple[float, Weights]:
        """Fit likelihood and similarity weights in turn, from the point, until neither gains."""
        members = len(point)
        row = replace(Weights.mean(members), likelihood=point).row()
        parts = [slice(0, members)] * self.free + [slice(members, 2 * members)]
        grid, most = simplex_grid(members, divisions(members)), table.earned(row).mean()
        while True:
            for part in parts:
                row[part] = search_simplex(partial(_means, table, row, part), row[part], grid)
            row = np.round(row, 4)
            reached = table.earned(row).mean()
            if reached <= most + 1e-12:
                break
            most = reached
        likelihood = tuple(map(float, row[:members])) if self.free else point
        return float(most), Weights(likelihood, tuple(map(float, row[members:-1])))


@dataclass(frozen=True)
class EnsembleFit:
    """Fitted weights and their comparison.

    Attributes:
        weights: of the ensemble; if ``fitted``, fitted on all clips.
        metric: the name of the metric that they maximise.
        best: the best single member, chosen on these same clips.
        rows: the metric of each member alone and of ensembles, with 95 % intervals over the clips.
        gains: of ensembles over the best member and over the mean, paired by clip.
        by_fold: the weights for each fold, fitted on the other folds.
    """

    members: tuple[str, ...]
    pool: str
    weights: Weights
    fitted: bool
    metric: str
    clips: int
    folds: int
    best: str
    rows: dict[str, Interval]
    gains: dict[str, Interval]
    by_fold: tuple[Weights, ...]

    def verdicts(self) -> list[str]:
        """One line per comparison: whether there is a gain."""
        lines = []
        for name, (value, low, high) in self.gains.items():
            kind = "a gain" if low > 0 else "a LOSS" if high < 0 else "no difference that shows"
            figures = f"{value:+.3f} (95 % interval {low:+.3f} to {high:+.3f})"
            lines.append(f"{name}: {kind}, {figures}")
        if self.by_fold and self._spread() > DISAGREEMENT:
            lines.append("the folds disagree about the shares: these clips hardly determine them")
        ensembles = [self.rows[name].value for name in (MEAN, FITTED) if name in self.rows]
        if max(ensembles) <= self.rows[self.best].value:
            lines.append(f"no ensemble of these does better here than {self.best} alone")
        return lines

    def _spread(self) -> float:
        """The largest difference between folds in a member's share."""
        rows = np.array([weights.row() for weights in self.by_fold])
        return float(np.ptp(rows, axis=0).max())

    def to_json(self) -> dict[str, object]:
        """The content of the report beside the ensemble."""
        return asdict(self) | {
            "rows": {name: row._asdict() for name, row in self.rows.items()},
            "gains": {name: row._asdict() for name, row in self.gains.items()},
            "verdicts": self.verdicts(),
        }

    def to_markdown(self) -> str:
        """The section of the model card."""
        rows = (
            (name, f"{row.value:.3f}", f"{row.low:.3f} to {row.high:.3f}")
            for name, row in self.rows.items()
        )
        fitted = (
            f" The shares above were fitted on all of them; those of the row `{FITTED}` "
            f"{self.folds} times, each time on the other clips."
        )
        return "\n".join(
            [
                table(("captions by", self.metric, "95 % interval"), rows),
                f"Measured on {self.clips} validation clips; {self.best} was chosen as the best "
                f"member on the same clips.{fitted if self.fitted else ''} The intervals cover the "
                "choice of clips only.",
                "",
                *(f"* {escape(verdict)}" for verdict in self.verdicts()),
            ]
        )


def fit_ensemble(
    opinions: Sequence[Opinions],
    panel: Panel,
    *,
    fitted: bool = True,
    metric_name: str = "cider_d",
    fold_count: int = 5,
    seed: int = 0,
) -> EnsembleFit:
    """Compare members and ensembles by the ``opinions`` of ``panel``.

    Args:
        fitted: fit the members' weights; else they stay equal.

    Raises:
        DataError: there are too few clips.
    """
    if not opinions:
        raise DataError("no clip could be heard, so that nothing can be compared: give other clips")
    names = [member.name for member in panel.ensemble.config.members]
    clips = [own.clip for own in opinions]
    fold = folds([clip.group for clip in clips], fold_count, seed) if fitted else np.zeros(0)
    label, of = metric(metric_name)
    # One call for all, because some metrics start a program per call.
    candidates = [
        [tuple(choose(o.alone[m]) for m in range(len(names))) for o in opinions],
        *([o.together[at][0] for o in opinions] for at in range(len(panel.points))),
    ]
    worth = _in_parts(of, clips, candidates)
    trials, mean = Trials.of(opinions, panel, worth[1:]), Weights.mean(len(names))
    ways = dict(zip(names, np.stack(worth[0], axis=1), strict=True))
    best = max(names, key=lambda name: ways[name].mean())
    ways[MEAN] = trials.earned(mean)
    gains = {f"{MEAN} over {best}": ways[MEAN] - ways[best]}
    by_fold = [trials.fit(fold != number) for number in range(fold_count)] if fitted else []
    if fitted:
        ways[FITTED] = np.empty(len(clips))
        for number, weights in enumerate(by_fold):
            ways[FITTED][fold == number] = trials.earned(weights)[fold == number]
        gains[f"{FITTED}, over {best}"] = ways[FITTED] - ways[best]
        gains[f"{FITTED}, over {MEAN}"] = ways[FITTED] - ways[MEAN]
    ways[ORACLE] = trials.oracle()
    return EnsembleFit(
        members=tuple(names),
        pool=panel.pool,
        weights=trials.fit(np.ones(len(clips), dtype=bool)) if fitted else mean,
        fitted=fitted,
        metric=label,
        clips=len(clips),
        folds=fold_count,
        best=best,
        rows={name: bootstrap(values, seed=seed) for name, values in ways.items()},
        gains={name: bootstrap(values, seed=seed) for name, values in gains.items()},
        by_fold=tuple(by_fold),
    )


def finished(ensemble: Ensemble, found: EnsembleFit, decoding: DecodeOptions) -> Ensemble:
    """``ensemble`` with the shares found under ``decoding``, and a card with their comparison."""
    weights = found.weights
    shares = zip(ensemble.config.members, weights.likelihood, weights.similarity, strict=True)
    members = tuple(
        replace(member, likelihood_weight=likelihood, similarity_weight=similarity)
        for member, likelihood, similarity in shares
    )
    config = replace(ensemble.config, members=members, decoding=decoding)
    card = ensemble_card(ensemble.name, config, found.to_markdown())
    return replace(ensemble, config=config, card=card)


def divisions(members: int) -> int:
    """The number of parts of a weight, for a grid of at most `GRID` points."""
    parts = DIVISIONS
    while parts > 1 and len(simplex_grid(members, parts)) > GRID:
        parts -= 1
    return parts


def _means(table: CandidateTable, row: np.ndarray, part: slice, settings: np.ndarray) -> np.ndarray:
    """[S] the mean metric under ``row`` with ``settings`` [S, M] in its ``part``."""
    tried = np.tile(row, (len(settings), 1))
    tried[:, part] = settings
    return table.mean_earned(tried)


def _table(
    clips: Sequence[ClipCandidates],
    judged: Sequence[tuple[tuple[Candidate, ...], ...]],
    worth: Worth,
    rerank: RerankWeights,
) -> CandidateTable:
    """A table with the terms of `Weights.row`, from each member's scores of all candidates."""
    weights = asdict(rerank)
    kinds = [{name: weights.pop(name) for name in kind} for kind in (LIKELIHOOD, SIMILARITY)]
    members = range(len(judged[0]))
    pools = [
        CandidateTable.of(_with_candidates(clips, [clip[m] for clip in judged]), worth)
        for m in members
    ]
    columns = [pool.terms @ pool.row(kind) for kind in kinds for pool in pools]
    columns.append(pools[0].terms @ pools[0].row(weights))
    names = [f"{kind} by {m}" for kind in ("likelihood", "similarity") for m in members]
    return replace(pools[0], names=(*names, "all else"), terms=np.stack(columns, axis=-1))


def _in_parts(
    of: Callable[[Sequence[ClipCandidates]], Worth],
    clips: Sequence[ClipCandidates],
    candidates: Sequence[Sequence[tuple[Candidate, ...]]],
) -> list[Worth]:
    """The worth of several lists of candidates per clip, with one call of the metric ``of``."""
    joined = [tuple(chain.from_iterable(parts)) for parts in zip(*candidates, strict=True)]
    worth = of(_with_candidates(clips, joined))
    ends = [
        np.cumsum([len(part) for part in parts])[:-1] for parts in zip(*candidates, strict=True)
    ]
    return list(map(list, zip(*map(np.split, worth, ends), strict=True)))


def _with_candidates(
    clips: Sequence[ClipCandidates], candidates: Sequence[tuple[Candidate, ...]]
) -> list[ClipCandidates]:
    return [replace(clip, candidates=own) for clip, own in zip(clips, candidates, strict=True)]
