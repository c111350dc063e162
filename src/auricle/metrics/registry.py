"""The registry of metrics by name; each is a function of shared inputs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from auricle.errors import DataError
from auricle.metrics.bootstrap import Sums
from auricle.metrics.inputs import MetricInputs
from auricle.metrics.java import INSTALL
from auricle.metrics.scores import Missing, Score, labelled

ALL = "all"


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


class MetricOutcome(NamedTuple):
    """The scores of a metric, and the notes on missing ones."""

    measured: list[Measured]
    missing: list[Missing]


class Metric(NamedTuple):
    """A metric with the ``title`` of its scores; ``of`` may raise MissingMetricError. ``asked``: it
    needs recordings or a server, and is computed only if its name is given; ``remedy`` says what to
    do where it fails."""

    title: str
    of: Callable[[MetricInputs], MetricOutcome]
    asked: bool = False
    remedy: str = INSTALL


def _means(scores: Sequence[Score], better: int = 1) -> list[Measured]:
    """Scores that are the means of their items."""
    return [Measured(score, Sums.mean(score.items), better) for score in scores]


def _rates(scores: Sequence[Score], better: int = 1) -> list[Measured]:
    """Scores whose items are 0 or 1."""
    return [Measured(score, Sums.share(score.items), better) for score in scores]


def _alone(score: Score) -> Measured:
    """A description of the captions: without interval, and neither higher nor lower is better."""
    return Measured(score, None, 0)


def _bleu(inputs: MetricInputs) -> MetricOutcome:
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
    return MetricOutcome([Measured(s, Sums(each, of(n))) for n, s in enumerate(scores)], [])


def _rouge_l(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.rouge import rouge_l

    return MetricOutcome(_means([rouge_l(*inputs.tokens)]), [])


def _meteor(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.meteor import meteor_of, meteor_score, meteor_statistics

    statistics = meteor_statistics(*inputs.tokens)
    return MetricOutcome([Measured(meteor_score(statistics), Sums(statistics, meteor_of))], [])


def _cider_d(inputs: MetricInputs) -> MetricOutcome:
    return MetricOutcome(_means([inputs.cider_d]), [])


def _spice(inputs: MetricInputs) -> MetricOutcome:
    return MetricOutcome(_means([inputs.spice.score]), _instead(inputs, "SPICE"))


def _spider(inputs: MetricInputs) -> MetricOutcome:
    return MetricOutcome(_means([inputs.spider]), _instead(inputs, "SPIDEr"))


def _spider_fl(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.fense import missing
    from auricle.metrics.spider import spider_fl
    from auricle.text.fluency.detector import ERROR

    detector, standin = inputs.judge
    errors = inputs.errors[:, ERROR].tolist()
    score = spider_fl(inputs.spider, errors, detector.threshold, standin or "")
    lacking = _instead(inputs, "SPIDEr-FL")
    absent = missing("SPIDEr-FL", standin)
    return MetricOutcome(_means([score]), lacking or ([absent] if absent else []))


def _spider_max(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.spider import spider_max

    if inputs.rivals is None:
        return MetricOutcome([], [])
    score = spider_max(inputs.spider_of_rivals, [len(texts) for texts in inputs.rivals])
    return MetricOutcome(_means([score]), _instead(inputs, "SPIDEr-max"))


def _instead(inputs: MetricInputs, name: str) -> list[Missing]:
    """The note on ``name`` if spice-py replaces SPICE."""
    absent = inputs.spice.missing
    return [replace(absent, name=name)] if absent else []


def _sbert(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.fense import SIMILARITY, missing

    standin = inputs.sentences.standin
    items = inputs.similarities
    score = Score(labelled(SIMILARITY, standin), float(np.mean(items)), items)
    absent = missing(SIMILARITY, standin)
    return MetricOutcome(_means([score]), [absent] if absent else [])


def _fense(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.fense import FENSE, fense, missing
    from auricle.text.fluency.detector import ERROR

    judge, standins = inputs.judge, (inputs.judge.standin, inputs.sentences.standin)
    errors = inputs.errors[:, ERROR].tolist()
    score = fense(inputs.similarities, errors, judge.detector.threshold)
    absent = missing(FENSE, *standins)
    named = replace(score, name=labelled(FENSE, *standins))
    return MetricOutcome(_means([named]), [absent] if absent else [])


def _fluency(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.fense import ERRORS, fluency_errors, missing

    judge = inputs.judge
    scores = [
        replace(score, name=labelled(score.name, judge.standin))
        for score in fluency_errors(inputs.errors, judge.detector.threshold)
    ]
    absent = missing(ERRORS, judge.standin)
    return MetricOutcome(_rates(scores, better=-1), [absent] if absent else [])


def _statistics(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.statistics import distinct, length_spread, lengths, novel, vocabulary

    said = inputs.tokens.candidates
    measured = [_alone(score) for score in (vocabulary(said), distinct(said, 1), distinct(said, 2))]
    spread, sums = length_spread(said)
    measured += [*_means([lengths(said)], better=0), Measured(spread, sums, 0)]
    if inputs.training is not None:
        measured += _rates([novel(inputs.candidates, inputs.training)], better=0)
    return MetricOutcome(measured, [])


def _self_similarity(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.statistics import self_similarity

    score = self_similarity(inputs.vectors.candidates)
    label = inputs.sentences.standin or "TinyBERT"
    return MetricOutcome([_alone(replace(score, name=labelled(score.name, label)))], [])


def _audio_sim(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.grounded import AUDIO_SIM, grounded

    space = inputs.model_space
    similarity = inputs.sound_similarities(AUDIO_SIM, space)
    return MetricOutcome(_means([grounded(AUDIO_SIM, similarity, space.name)]), [])


def _clap_sim(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.grounded import CLAP_SIM, grounded

    inputs.recordings(CLAP_SIM)  # asked before half a gigabyte is loaded
    space = inputs.clap_space
    similarity = inputs.sound_similarities(CLAP_SIM, space)
    return MetricOutcome(_means([grounded(CLAP_SIM, similarity, space.name)]), [])


def _mace_like(inputs: MetricInputs) -> MetricOutcome:
    """By CLAP where a checkpoint is named, else by the model's own space."""
    from auricle.metrics.grounded import MACE_LIKE, mace_like
    from auricle.text.fluency.detector import ERROR

    inputs.recordings(MACE_LIKE)
    by_clap = inputs.grounding is not None and inputs.grounding.clap is not None
    space = inputs.clap_space if by_clap else inputs.model_space
    detector, standin = inputs.judge
    errors = (inputs.errors[:, ERROR] > detector.threshold).tolist()
    sound = inputs.sound_similarities(MACE_LIKE, space)
    text = inputs.text_similarities(space)
    return MetricOutcome(_means([mace_like(sound, text, errors, space.name, standin)]), [])


def _clair_a(inputs: MetricInputs) -> MetricOutcome:
    from auricle.metrics.clair_a import CLAIR_A, clair_a

    found = inputs.judgements
    assert inputs.llm is not None
    pairs = zip(inputs.candidates, inputs.references, strict=True)
    each = [found.found.get((text, tuple(meant))) for text, meant in pairs]
    known = np.array([verdict is not None for verdict in each], dtype=np.float64)
    missing = []
    if found.failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in found.failed.items())
        missing = [
            Missing(CLAIR_A, f"captions without a verdict: {reasons}", "run the same command again")
        ]
    if not known.any():
        return MetricOutcome([], missing)
    score = clair_a(each, inputs.similarities, inputs.llm.config.model)
    sums = Sums.mean(np.nan_to_num(score.items), known)
    return MetricOutcome([Measured(score, sums)], missing)


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
    "audio-sim": Metric("audio-sim", _audio_sim, True, "name another model by --audio-model"),
    "clap-sim": Metric("clap-sim", _clap_sim, True, "name a folder or a checkpoint by --clap"),
    "mace-like": Metric("MACE-like", _mace_like, True, "see --audio-model, --clap"),
    "clair-a": Metric("CLAIR-A", _clair_a, True, "see --judge, --base-url"),
}


def chosen(names: Sequence[str] | None) -> dict[str, Metric]:
    """The metrics of these names, in the order of `METRICS`; without names all but those that take
    recordings or a server. "all" stands for those.

    Case does not matter, and "_" is "-": "CIDEr_D" is "cider-d"; "bleu-4" is "bleu".

    Raises:
        DataError: a name is unknown; lists the names.
    """
    usual = {key: metric for key, metric in METRICS.items() if not metric.asked}
    wanted = {_plain(name): name for name in names or [ALL]}
    if wanted.pop(ALL, None):
        wanted |= {key: key for key in usual}
    for key, name in wanted.items():
        if key not in METRICS:
            near = difflib.get_close_matches(key, METRICS, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(METRICS)}"
            raise DataError(f"{name}: no metric of this name; {hint}")
    return {key: metric for key, metric in METRICS.items() if key in wanted}


def _plain(name: str) -> str:
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    return "bleu" if key in {f"bleu-{n}" for n in range(1, 5)} else key
