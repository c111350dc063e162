"""Assessments: scores with their clips, the content of tables, JSON and the report page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from auricle.evaluation.pairing import Pairs
from auricle.metrics.bootstrap import rough
from auricle.metrics.evaluation import Evaluation
from auricle.metrics.scores import Score
from auricle.text.fluency.detector import CLASSES, DESCRIPTIONS, NAMED
from auricle.text.normalise import is_blank

# Clips are ranked by the first of these scores that exists, under any label.
RANKED_BY = ("SPIDEr-FL", "SPIDEr", "FENSE", "CIDEr-D", "SBERT similarity", "METEOR", "ROUGE-L")


# Scores that a fluency detector judges, and how far its figures for one caption may lie apart
# between processors; those of two detectors do so much farther.
JUDGED = ("Fluency error rate", "SPIDEr-FL", "FENSE", "MACE-like")
SAME_FIGURE = 1e-3


@dataclass(frozen=True, eq=False)
class Assessment:
    """The scores of one system. ``system``: the file or model that was scored; ``references``: the
    file of the references."""

    system: str
    references: str
    pairs: Pairs
    evaluation: Evaluation

    def ranking(self) -> Score | None:
        """The score that ranks clips: the first of `RANKED_BY`."""
        return ranking(self.evaluation.scores)

    def fault(self, clip: int) -> str | None:
        """The fluency error of a clip's caption in words, if the detector finds one."""
        for score in self.evaluation.scores:
            if len(score.details) == len(CLASSES) and score.items[clip]:
                kinds = {name: score.details[name][clip] for name in CLASSES if name != "error"}
                likeliest = max(kinds, key=kinds.__getitem__)
                return DESCRIPTIONS[likeliest if kinds[likeliest] >= NAMED else "error"]
        return None

    @property
    def notes(self) -> list[str]:
        """Notes for readers of the scores."""
        notes = [*self.pairs.notes, *rough(self.evaluation.clips)]
        judged = [s.name for s in self.evaluation.scores if s.name.partition(" (")[0] in JUDGED]
        if judged and self.chosen_by_judge():
            notes.append(
                f"{', '.join(judged)}: the fluency detector that judges here also chose these"
                " captions among candidates, so its share in them is no evidence of fluency"
            )
        return notes

    def chosen_by_judge(self) -> bool:
        """Whether the detector behind the fluency scores also chose the captions: the figures that
        were recorded with the chosen candidates are its own. False if no figures were."""
        if not (errors := self.evaluation.errors):
            return False
        figures = [
            (1 - candidate.fluency, error)
            for prediction, error in zip(self.pairs.predictions, errors, strict=True)
            if len(prediction.candidates) > 1 and not is_blank(prediction.caption)
            for candidate in prediction.candidates
            if candidate.text == prediction.caption and candidate.fluency is not None
        ]
        return bool(figures) and all(
            math.isclose(known, found, rel_tol=SAME_FIGURE, abs_tol=1e-9)
            for known, found in figures
        )


def ranking(scores: Sequence[Score]) -> Score | None:
    """The first of `RANKED_BY` among ``scores``, under any label."""
    for wanted in RANKED_BY:
        for score in scores:
            if score.items and score.name.partition(" (")[0] == wanted:
                return score
    return None


def as_json(assessment: Assessment) -> dict[str, Any]:
    """All results: scores, intervals, missing metrics, left-out rows, and each clip."""
    evaluation, pairs = assessment.evaluation, assessment.pairs
    scores: dict[str, Any] = {}
    for found in evaluation.measured:
        interval = evaluation.intervals.get(found.score.name)
        scores[found.score.name] = {
            "value": found.score.corpus,
            "interval": [interval.low, interval.high] if interval else None,
            "better": {1: "higher", -1: "lower", 0: None}[found.better],
        }
    return {
        "system": assessment.system,
        "references": assessment.references,
        "clips": len(pairs.references),
        "clips_of_references": pairs.of,
        "scores": scores,
        "missing": [asdict(missing) for missing in evaluation.missing],
        "left_out": [asdict(fault) for fault in pairs.faults.found],
        "notes": assessment.notes,
        "items": [_item(assessment, number) for number in range(len(pairs.references))],
    }


def _item(assessment: Assessment, number: int) -> dict[str, Any]:
    prediction = assessment.pairs.predictions[number]
    reference = assessment.pairs.references[number]
    scores = assessment.evaluation.scores
    return {
        "id": reference.id,
        "caption": prediction.caption,
        "references": list(reference.captions),
        "scores": {score.name: _known(score.items[number]) for score in scores if score.items},
        "details": {
            score.name: {name: values[number] for name, values in score.details.items()}
            for score in scores
            if score.details
        },
        "reasons": {score.name: score.reasons[number] for score in scores if score.reasons},
        "fluency_error": assessment.fault(number),
        "candidates": [asdict(candidate) for candidate in prediction.candidates],
    }


def _known(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value
