"""One calibrated number per caption: the probability that it is right.

A logistic regression over what reranking knows of the chosen caption, kept as ``calibration.json``
in the model's folder. What "right" means is a matter of its fit: see `auricle.tuning.confidence`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from auricle.errors import ModelError
from auricle.records import Candidate
from auricle.schema import build, check

NO_SOUND = "no recognisable sound"  # the caption where nothing is heard, or too uncertainly
FILE = "calibration.json"
FEATURES = ("log_likelihood", "similarity", "agreement")  # fields of `Candidate`


@dataclass(frozen=True)
class Feature:
    """A field of `Candidate`, standardised by ``mean`` and ``deviation`` and weighed."""

    name: str
    mean: float
    deviation: float
    weight: float

    def __post_init__(self) -> None:
        rules = {
            "name": (self.name in FEATURES, " or ".join(FEATURES)),
            "deviation": (self.deviation > 0, "above 0"),
        }
        check(self, rules)


@dataclass(frozen=True)
class HeldOut:
    """How reliable confidence was on clips held out from the fit, and how it would be to give all
    of them the base rate; ``low`` and ``high`` bound the gain of the first over the second (the
    difference of Brier scores) in 95 % of resamples."""

    brier: float
    base_brier: float
    low: float
    high: float
    calibration_error: float
    auc: float


@dataclass(frozen=True)
class Calibration:
    """How confidence follows from a caption's terms.

    Attributes:
        features, bias: of the logistic regression.
        method: the decoding whose captions it was fitted on; those of others differ.
        right: the cosine with a reference from which a caption counted as right.
        data: the manifest it was fitted on.
        clips: how many; ``right_share`` of them were captioned rightly.
    """

    features: tuple[Feature, ...]
    bias: float
    method: str
    right: float
    data: str
    clips: int
    right_share: float
    held_out: HeldOut


def confidence(calibration: Calibration, candidate: Candidate) -> float:
    """The probability in [0, 1] that the caption is right."""
    return probability(calibration.features, calibration.bias, candidate)


def probability(features: Iterable[Feature], bias: float, candidate: Candidate) -> float:
    """Of the logistic regression; a term that nobody knows of the candidate counts as average."""
    logit = bias
    for feature in features:
        value = getattr(candidate, feature.name)
        if value is not None:
            logit += feature.weight * (value - feature.mean) / feature.deviation
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, logit))))  # exp of more overflows


def declined(candidate: Candidate, sure: float, minimum: float) -> Candidate:
    """The chosen candidate where confidence ``sure`` is under ``minimum``: it says so."""
    return replace(candidate, reason=f"confidence {sure:.2f} under {minimum:g}")


def load_calibration(folder: Path) -> Calibration | None:
    """That of a model folder, None where it has none.

    Raises:
        ModelError: the file is not a calibration.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(
            f"{path}: not JSON ({error}); `auricle tune confidence` writes it"
        ) from error
    if not isinstance(values, dict):
        raise ModelError(f"{path}: not a calibration; `auricle tune confidence` writes it")
    return build(Calibration, values, str(path))


def save_calibration(folder: Path, calibration: Calibration) -> None:
    """Write it into a model folder."""
    text = json.dumps(asdict(calibration), indent=1) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")
