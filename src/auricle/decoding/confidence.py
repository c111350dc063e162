"""Confidence: the calibrated probability that a caption is right.

It is a logistic regression over the reranking terms of the chosen caption, stored as
``calibration.json`` in the model folder. `auricle.tuning.confidence` fits it and defines "right".
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, TypeAlias

from auricle.files import read_json
from auricle.records import Candidate
from auricle.schema import Range, build, check

NO_SOUND = "no recognisable sound"  # the caption of silence, and of low confidence
FILE = "calibration.json"
FEATURES = ("log_likelihood", "similarity", "agreement")  # fields of `Candidate`

Number: TypeAlias = Annotated[float, Range(-1e6, 1e6)]
Share: TypeAlias = Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class Feature:
    """A field of `Candidate`, standardised by ``mean`` and ``deviation``, with its weight."""

    name: str
    mean: Number
    deviation: Annotated[float, Range(1e-9, 1e6)]
    weight: Number

    def __post_init__(self) -> None:
        rules = {
            "name": (self.name in FEATURES, " or ".join(FEATURES)),
            "deviation": (self.deviation > 0, "above 0"),
        }
        check(self, rules)


@dataclass(frozen=True)
class HeldOut:
    """Reliability of confidence on clips held out from the fit.

    ``base_brier`` is the Brier score of giving every clip the base rate; ``low`` and ``high`` bound
    the gain over it (the difference of Brier scores) in 95 % of resamples.
    """

    brier: float
    base_brier: float
    low: float
    high: float
    calibration_error: float
    auc: float


@dataclass(frozen=True)
class Calibration:
    """The logistic regression from a caption's terms to its confidence.

    Attributes:
        features, bias: the parameters of the regression.
        method: the decoding method of the captions that it was fitted on, and valid for.
        right: a caption counted as right from this cosine with a reference.
        data: the manifest it was fitted on.
        clips: their number; the share ``right_share`` had a right caption.
    """

    features: Annotated[tuple[Feature, ...], Range(0, len(FEATURES))]
    bias: Number
    method: str
    right: float
    data: str
    clips: int
    right_share: Share
    held_out: HeldOut

    def __post_init__(self) -> None:
        check(self)


def confidence(calibration: Calibration, candidate: Candidate) -> float:
    """The probability in [0, 1] that the caption is right."""
    return probability(calibration.features, calibration.bias, candidate)


def probability(features: Iterable[Feature], bias: float, candidate: Candidate) -> float:
    """The probability of the logistic regression; a missing term counts as average."""
    logit = bias
    for feature in features:
        value = getattr(candidate, feature.name)
        if value is not None:
            logit += feature.weight * (value - feature.mean) / feature.deviation
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, logit))))  # exp of more overflows


def declined(candidate: Candidate, sure: float, minimum: float) -> Candidate:
    """The chosen candidate, with the reason that its confidence ``sure`` is under ``minimum``."""
    return replace(candidate, reason=f"confidence {sure:.2f} under {minimum:g}")


def load_calibration(folder: Path) -> Calibration | None:
    """The calibration of a model folder, or None.

    Raises:
        ModelError: the file is not a calibration.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    return build(Calibration, read_json(path), str(path))


def save_calibration(folder: Path, calibration: Calibration) -> None:
    """Write the calibration into a model folder."""
    text = json.dumps(asdict(calibration), indent=1) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")
