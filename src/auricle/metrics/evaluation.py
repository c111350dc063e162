"""Evaluation of captions by every metric: per corpus and per clip, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auricle.errors import AuricleError, DataError
from auricle.metrics.bootstrap import Interval, intervals
from auricle.metrics.inputs import MetricInputs
from auricle.metrics.registry import Measured, Metric, MetricOutcome, chosen
from auricle.metrics.scores import Missing, MissingMetricError, Score
from auricle.text.fluency.detector import ERROR
from auricle.watch import Progress, silent

if TYPE_CHECKING:
    from auricle.metrics.clair_a import LlmJudge
    from auricle.metrics.space import Grounding

ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The scores of N captions.

    Attributes:
        clips: N.
        measured: the scores in the order of the metrics, with the sums behind their intervals.
        intervals: 95 % intervals by name of the score; not every score has one.
        missing: metrics that could not be computed as published. A replacement is among the scores,
            under its own name.
        errors: [N] the fluency detector's probability that a caption has an error; empty if no
            metric asked for it.
    """

    clips: int
    measured: tuple[Measured, ...]
    intervals: dict[str, Interval]
    missing: tuple[Missing, ...]
    errors: tuple[float, ...] = ()

    @classmethod
    def of(
        cls,
        clips: int,
        measured: Sequence[Measured],
        missing: Sequence[Missing] = (),
        seed: int = 0,
        errors: Sequence[float] = (),
    ) -> Evaluation:
        """The evaluation with its intervals; ``seed`` is that of the bootstrap.

        Where all clips are alike and their figure is no rate, clips drawn again say nothing of how
        sure that is, and there is no interval.
        """
        sums = {found.score.name: found.sums for found in measured if found.sums}
        found = intervals(list(sums.values()), seed) if sums else []
        ranged = {n: i for n, i in zip(sums, found, strict=True) if i.high - i.low > ROUNDING}
        return cls(clips, tuple(measured), ranged, tuple(missing), tuple(errors))

    @property
    def scores(self) -> tuple[Score, ...]:
        return tuple(found.score for found in self.measured)

    def __getitem__(self, name: str) -> Score:
        """The score called ``name`` ("CIDEr-D", "SPICE (spice-py)").

        Raises:
            KeyError: no score has this name; lists the names.
        """
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(f"no score is called {name!r}; there are {[s.name for s in self.scores]}")


def evaluate(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    metrics: Sequence[str] | None = None,
    *,
    rivals: Sequence[Sequence[str]] | None = None,
    training: Sequence[str] | None = None,
    device: str = "cpu",
    seed: int = 0,
    progress: Progress = silent,
    grounding: Grounding | None = None,
    llm: LlmJudge | None = None,
) -> Evaluation:
    """Score one caption for each of N clips against captions by people.

    Args:
        candidates: N captions, as written.
        references: one or more captions by people for each.
        metrics: names of `auricle.metrics.registry.METRICS`; by default all but those that need
            ``grounding`` or ``llm``.
        rivals: all candidates of each clip, for SPIDEr-max.
        training: the captioner's training captions, for the share of novel ones.
        device: the device of the text embedder and the fluency detector.
        seed: seed of the bootstrap.
        progress: gets the metric that begins, as the stage, and how many of how many are done.
        grounding: the recordings, for audio-sim, clap-sim and mace-like.
        llm: the language model that judges, for clair-a.

    Raises:
        DataError: there are no clips, numbers differ, a clip has no references, or a metric is
            unknown.
    """
    _check(candidates, references, rivals)
    inputs = MetricInputs(candidates, references, rivals, training, device, grounding, llm)
    wanted = chosen(metrics)
    measured: list[Measured] = []
    missing: list[Missing] = []
    for done, metric in enumerate(wanted.values()):
        progress(metric.title, done, len(wanted))
        outcome = _outcome(metric, inputs)
        measured += outcome.measured
        missing += outcome.missing
    progress("", len(wanted), len(wanted))
    errors = inputs.errors[:, ERROR].tolist() if inputs.judged else ()
    return Evaluation.of(len(candidates), measured, missing, seed, errors)


def _outcome(metric: Metric, inputs: MetricInputs) -> MetricOutcome:
    """The outcome of one metric; its failure does not stop the others."""
    try:
        return metric.of(inputs)
    except MissingMetricError as error:
        absent = error.missing
        what = f"{absent.name}: " if absent.name != metric.title else ""
        return MetricOutcome([], [Missing(metric.title, what + absent.reason, absent.command)])
    except AuricleError as error:  # such as a missing package, or a Java program that failed
        return MetricOutcome([], [Missing(metric.title, str(error), metric.remedy)])


def _check(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    rivals: Sequence[Sequence[str]] | None,
) -> None:
    if isinstance(candidates, str) or not len(candidates):
        raise DataError("no captions: give a list with one caption for each clip")
    for name, given in (("references", references), ("rivals", rivals)):
        if given is not None and len(given) != len(candidates):
            raise DataError(
                f"{len(candidates)} captions and {name} of {len(given)} clips; give both for each"
            )
    for clip, texts in enumerate(references):
        if isinstance(texts, str) or not len(texts):
            raise DataError(f"clip {clip}: references must be a list of one caption or more")
