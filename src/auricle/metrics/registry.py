"""Metrics by name, each a function of the material that they share."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from auricle.errors import DataError
from auricle.metrics.bootstrap import Sums
from auricle.metrics.inputs import Material
from auricle.metrics.java import INSTALL
from auricle.metrics.scores import Missing, Score, labelled

ALL = "all"


@dataclass(frozen=True, eq=False)
class Measured:
    """A score, and what its interval is made from.

    Attributes:
        sums: None where clips drawn again say nothing of it: a vocabulary only shrinks when clips
            repeat.
        better: 1 if higher is better, -1 if lower, 0 if neither.
    """

    score: Score
    sums: Sums | None
    better: int = 1


class Outcome(NamedTuple):
    """The scores of a metric, and what is missing of it."""

    measured: list[Measured]
    missing: list[Missing]


class Metric(NamedTuple):
    """``title`` is what its scores are called; ``of`` may raise MissingMetricError. ``asked``: it
    takes recordings or a server, and is computed only where its name is given; ``remedy`` says what
    to do where it fails."""

    title: str
    of: Callable[[Material], Outcome]
    asked: bool = False
    remedy: str = INSTALL


def _means(scores: Sequence[Score], better: int = 1) -> list[Measured]:
    """Scores that are the means of their items."""
    return [Measured(score, Sums.mean(score.items), better) for score in scores]


def _rates(scores: Sequence[Score], better: int = 1) -> list[Measured]:
    """Scores whose items are 0 or 1."""
    return [Measured(score, Sums.share(score.items), better) for score in scores]


def _alone(score: Score) -> Measured:
    """A figure of the captions as they are: no interval, and neither end of it is better."""
    return Measured(score, None, 0)


def _bleu(material: Material) -> Outcome:
    from auricle.metrics.bleu import BleuCounts, bleu, bleu_counts

    counts = bleu_counts(*material.tokens)
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

    scores = bleu(*material.tokens)
    return Outcome([Measured(s, Sums(each, of(n))) for n, s in enumerate(scores)], [])


def _rouge_l(material: Material) -> Outcome:
    from auricle.metrics.rouge import rouge_l

    return Outcome(_means([rouge_l(*material.tokens)]), [])


def _meteor(material: Material) -> Outcome:
    from auricle.metrics.meteor import meteor_of, meteor_score, meteor_statistics

    statistics = meteor_statistics(*material.tokens)
    return Outcome([Measured(meteor_score(statistics), Sums(statistics, meteor_of))], [])


def _cider_d(material: Material) -> Outcome:
    return Outcome(_means([material.cider_d]), [])


def _spice(material: Material) -> Outcome:
    return Outcome(_means([material.spice.score]), _instead(material, "SPICE"))


def _spider(material: Material) -> Outcome:
    return Outcome(_means([material.spider]), _instead(material, "SPIDEr"))


def _spider_fl(material: Material) -> Outcome:
    from auricle.metrics.fense import missing
    from auricle.metrics.spider import spider_fl
    from auricle.text.fluency.detector import ERROR

    detector, standin = material.judge
    errors = material.errors[:, ERROR].tolist()
    score = spider_fl(material.spider, errors, detector.threshold, standin or "")
    lacking = _instead(material, "SPIDEr-FL")
    absent = missing("SPIDEr-FL", standin)
    return Outcome(_means([score]), lacking or ([absent] if absent else []))


def _spider_max(material: Material) -> Outcome:
    from auricle.metrics.spider import spider_max

    if material.rivals is None:
        return Outcome([], [])
    score = spider_max(material.spider_of_rivals, [len(texts) for texts in material.rivals])
    return Outcome(_means([score]), _instead(material, "SPIDEr-max"))


def _instead(material: Material, name: str) -> list[Missing]:
    """The note on ``name`` where spice-py stands in for SPICE."""
    absent = material.spice.missing
    return [replace(absent, name=name)] if absent else []


def _sbert(material: Material) -> Outcome:
    from auricle.metrics.fense import SIMILARITY, missing

    standin = material.sentences.standin
    items = material.similarities
    score = Score(labelled(SIMILARITY, standin), float(np.mean(items)), items)
    absent = missing(SIMILARITY, standin)
    return Outcome(_means([score]), [absent] if absent else [])


def _fense(material: Material) -> Outcome:
    from auricle.metrics.fense import FENSE, fense, missing
    from auricle.text.fluency.detector import ERROR

    judge, standins = material.judge, (material.judge.standin, material.sentences.standin)
    errors = material.errors[:, ERROR].tolist()
    score = fense(material.similarities, errors, judge.detector.threshold)
    absent = missing(FENSE, *standins)
    named = replace(score, name=labelled(FENSE, *standins))
    return Outcome(_means([named]), [absent] if absent else [])


def _fluency(material: Material) -> Outcome:
    from auricle.metrics.fense import ERRORS, fluency_errors, missing

    judge = material.judge
    scores = [
        replace(score, name=labelled(score.name, judge.standin))
        for score in fluency_errors(material.errors, judge.detector.threshold)
    ]
    absent = missing(ERRORS, judge.standin)
    return Outcome(_rates(scores, better=-1), [absent] if absent else [])


def _statistics(material: Material) -> Outcome:
    from auricle.metrics.statistics import distinct, length_spread, lengths, novel, vocabulary

    said = material.tokens.candidates
    measured = [_alone(score) for score in (vocabulary(said), distinct(said, 1), distinct(said, 2))]
    spread, sums = length_spread(said)
    measured += [*_means([lengths(said)], better=0), Measured(spread, sums, 0)]
    if material.training is not None:
        measured += _rates([novel(material.candidates, material.training)], better=0)
    return Outcome(measured, [])


def _self_similarity(material: Material) -> Outcome:
    from auricle.metrics.statistics import self_similarity

    score = self_similarity(material.vectors.candidates)
    label = material.sentences.standin or "TinyBERT"
    return Outcome([_alone(replace(score, name=labelled(score.name, label)))], [])


def _audio_sim(material: Material) -> Outcome:
    from auricle.metrics.grounded import AUDIO_SIM, grounded

    space = material.model_space
    similarity = material.sound_similarities(AUDIO_SIM, space)
    return Outcome(_means([grounded(AUDIO_SIM, similarity, space.name)]), [])


def _clap_sim(material: Material) -> Outcome:
    from auricle.metrics.grounded import CLAP_SIM, grounded

    material.recordings(CLAP_SIM)  # asked before half a gigabyte is loaded
    space = material.clap_space
    similarity = material.sound_similarities(CLAP_SIM, space)
    return Outcome(_means([grounded(CLAP_SIM, similarity, space.name)]), [])


def _mace_like(material: Material) -> Outcome:
    """By CLAP where a checkpoint is named, else by the model's own space."""
    from auricle.metrics.grounded import MACE_LIKE, mace_like
    from auricle.text.fluency.detector import ERROR

    material.recordings(MACE_LIKE)
    by_clap = material.grounding is not None and material.grounding.clap is not None
    space = material.clap_space if by_clap else material.model_space
    detector, standin = material.judge
    errors = (material.errors[:, ERROR] > detector.threshold).tolist()
    sound = material.sound_similarities(MACE_LIKE, space)
    text = material.text_similarities(space)
    return Outcome(_means([mace_like(sound, text, errors, space.name, standin)]), [])


def _clair_a(material: Material) -> Outcome:
    from auricle.metrics.clair_a import CLAIR_A, clair_a

    found = material.verdicts
    assert material.llm is not None
    pairs = zip(material.candidates, material.references, strict=True)
    each = [found.found.get((text, tuple(meant))) for text, meant in pairs]
    known = np.array([verdict is not None for verdict in each], dtype=np.float64)
    missing = []
    if found.failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in found.failed.items())
        missing = [
            Missing(CLAIR_A, f"captions without a verdict: {reasons}", "run the same command again")
        ]
    if not known.any():
        return Outcome([], missing)
    score = clair_a(each, material.similarities, material.llm.config.model)
    sums = Sums.mean(np.nan_to_num(score.items), known)
    return Outcome([Measured(score, sums)], missing)


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

    Capitals do not count, and "_" is "-": "CIDEr_D" is "cider-d"; "bleu-4" is "bleu".

    Raises:
        DataError: an unknown name; says which there are.
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
