"""The registry of metrics by name; each is a function of shared inputs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from auricle.errors import DataError
from auricle.metrics.bootstrap import Sums
from auricle.metrics.inputs import Inputs
from auricle.metrics.scores import Missing, Score, labelled


@dataclass(frozen=True, eq=False)
class Measured:
    """A score, and the sums behind its interval.

    Attributes:
        sums: None if resamples do not show its uncertainty: a vocabulary always shrinks when clips
            repeat.
        better: 1 if higher is better, -1 if lower, 0 if neither.
    """

    score: Score
    sums: Sums | None
    better: int = 1


class Outcome(NamedTuple):
    """The scores of a metric, and the notes on missing ones."""

    measured: list[Measured]
    missing: list[Missing]


class Metric(NamedTuple):
    """A metric with the ``title`` of its scores; ``of`` may raise MissingMetricError."""

    title: str
    of: Callable[[Inputs], Outcome]


def _means(scores: Sequence[Score], better: int = 1) -> list[Measured]:
    """Scores that are the means of their items."""
    return [Measured(score, Sums.mean(score.items), better) for score in scores]


def _rates(scores: Sequence[Score], better: int = 1) -> list[Measured]:
    """Scores whose items are 0 or 1."""
    return [Measured(score, Sums.share(score.items), better) for score in scores]


def _alone(score: Score) -> Measured:
    """A description of the captions: without interval, and neither higher nor lower is better."""
    return Measured(score, None, 0)


def _bleu(inputs: Inputs) -> Outcome:
    from auricle.metrics.bleu import BleuCounts, bleu, bleu_counts

    counts = bleu_counts(*inputs.tokens)
    each = np.concatenate(
        [
            counts.correct,
            counts.guessed,
            counts.length[:, None],
            counts.reference_length[:, None],
        ],
        axis=1,
    ).astype(np.float64)

    def of(order: int) -> Callable[[np.ndarray], np.ndarray]:
        def value(sums: np.ndarray) -> np.ndarray:
            corpus = BleuCounts(sums[..., :4], sums[..., 4:8], sums[..., 8], sums[..., 9])
            found: np.ndarray = corpus.bleu()[..., order]
            return found

        return value

    scores = bleu(*inputs.tokens)
    return Outcome([Measured(s, Sums(each, of(n))) for n, s in enumerate(scores)], [])


def _rouge_l(inputs: Inputs) -> Outcome:
    from auricle.metrics.rouge import rouge_l

    return Outcome(_means([rouge_l(*inputs.tokens)]), [])


def _meteor(inputs: Inputs) -> Outcome:
    from auricle.metrics.meteor import meteor_of, meteor_score, meteor_statistics

    statistics = meteor_statistics(*inputs.tokens)
    return Outcome([Measured(meteor_score(statistics), Sums(statistics, meteor_of))], [])


def _cider_d(inputs: Inputs) -> Outcome:
    return Outcome(_means([inputs.cider_d]), [])


def _spice(inputs: Inputs) -> Outcome:
    return Outcome(_means([inputs.spice.score]), _instead(inputs, "SPICE"))


def _spider(inputs: Inputs) -> Outcome:
    return Outcome(_means([inputs.spider]), _instead(inputs, "SPIDEr"))


def _spider_fl(inputs: Inputs) -> Outcome:
    from auricle.metrics.fense import missing
    from auricle.metrics.spider import spider_fl
    from auricle.text.fluency.detector import ERROR

    detector, standin = inputs.judge
    errors = inputs.errors[:, ERROR].tolist()
    score = spider_fl(inputs.spider, errors, detector.threshold, standin or "")
    lacking = _instead(inputs, "SPIDEr-FL")
    absent = missing("SPIDEr-FL", standin)
    return Outcome(_means([score]), lacking or ([absent] if absent else []))


def _spider_max(inputs: Inputs) -> Outcome:
    from auricle.metrics.spider import spider_max

    if inputs.rivals is None:
        return Outcome([], [])
    score = spider_max(inputs.spider_of_rivals, [len(texts) for texts in inputs.rivals])
    return Outcome(_means([score]), _instead(inputs, "SPIDEr-max"))


def _instead(inputs: Inputs, name: str) -> list[Missing]:
    """The note on ``name`` if spice-py replaces SPICE."""
    absent = inputs.spice.missing
    return [replace(absent, name=name)] if absent else []


def _sbert(inputs: Inputs) -> Outcome:
    from auricle.metrics.fense import SIMILARITY, missing

    standin = inputs.sentences.standin
    items = inputs.similarities
    score = Score(labelled(SIMILARITY, standin), float(np.mean(items)), items)
    absent = missing(SIMILARITY, standin)
    return Outcome(_means([score]), [absent] if absent else [])


def _fense(inputs: Inputs) -> Outcome:
    from auricle.metrics.fense import FENSE, fense, missing
    from auricle.text.fluency.detector import ERROR

    judge, standins = inputs.judge, (inputs.judge.standin, inputs.sentences.standin)
    errors = inputs.errors[:, ERROR].tolist()
    score = fense(inputs.similarities, errors, judge.detector.threshold)
    absent = missing(FENSE, *standins)
    named = replace(score, name=labelled(FENSE, *standins))
    return Outcome(_means([named]), [absent] if absent else [])


def _fluency(inputs: Inputs) -> Outcome:
    from auricle.metrics.fense import ERRORS, fluency_errors, missing

    judge = inputs.judge
    scores = [
        replace(score, name=labelled(score.name, judge.standin))
        for score in fluency_errors(inputs.errors, judge.detector.threshold)
    ]
    absent = missing(ERRORS, judge.standin)
    return Outcome(_rates(scores, better=-1), [absent] if absent else [])


def _statistics(inputs: Inputs) -> Outcome:
    from auricle.metrics.statistics import distinct, length_spread, lengths, novel, vocabulary

    said = inputs.tokens.candidates
    measured = [_alone(score) for score in (vocabulary(said), distinct(said, 1), distinct(said, 2))]
    spread, sums = length_spread(said)
    measured += [*_means([lengths(said)], better=0), Measured(spread, sums, 0)]
    if inputs.training is not None:
        measured += _rates([novel(inputs.candidates, inputs.training)], better=0)
    return Outcome(measured, [])


def _self_similarity(inputs: Inputs) -> Outcome:
    from auricle.metrics.statistics import self_similarity

    score = self_similarity(inputs.vectors.candidates)
    label = inputs.sentences.standin or "TinyBERT"
    return Outcome([_alone(replace(score, name=labelled(score.name, label)))], [])


METRICS: dict[str, Metric] = {
    "bleu": Metric("BLEU", _bleu),
    "rouge-l": Metric("ROUGE-L", _rouge_l),
    "meteor": Metric("METEOR", _meteor),
    "cider-d": Metric("CIDEr-D", _cider_d),
    "spice": Metric("SPICE", _spice),
    "spider": Metric("SPIDEr", _spider),
    "spider-fl": Metric("SPIDEr-FL", _spider_fl),
    "spider-max": Metric("SPIDEr-max", _spider_max),
    "sbert": Metric("SBERT similarity", _sbert),
    "fense": Metric("FENSE", _fense),
    "fluency": Metric("Fluency error rate", _fluency),
    "statistics": Metric("Statistics", _statistics),
    "self-similarity": Metric("Self-similarity", _self_similarity),
}


def chosen(names: Sequence[str] | None) -> dict[str, Metric]:
    """The metrics of these names, in the order of `METRICS`; all without names.

    Case does not matter, and "_" is "-": "CIDEr_D" is "cider-d"; "bleu-4" is "bleu".

    Raises:
        DataError: a name is unknown; lists the names.
    """
    if not names:
        return METRICS
    wanted = {_plain(name): name for name in names}
    for key, name in wanted.items():
        if key not in METRICS:
            near = difflib.get_close_matches(key, METRICS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(METRICS)}"
            raise DataError(f"{name}: no metric of this name; {hint}")
    return {key: metric for key, metric in METRICS.items() if key in wanted}


def _plain(name: str) -> str:
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    return "bleu" if key in {f"bleu-{n}" for n in range(1, 5)} else key
