"""What a fluency detector is worth: on broken captions, on people's, beside another detector."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from auricle.text.corruptions import KINDS, Corruptor
from auricle.text.fluency.detector import FluencyDetector


@dataclass(frozen=True)
class Found:
    """How well errors are told from whole captions: area under the ROC curve, and the share of the
    errors above the detector's threshold."""

    count: int
    auc: float
    recall: float


@dataclass(frozen=True)
class Agreement:
    """Of one detector's verdicts with another's, whose probabilities are taken as the truth: how
    many captions there are and the other flags, area under the ROC curve (NaN if it flags none),
    precision and recall (NaN if there is none to share), and Spearman's rank correlation of the
    two probabilities."""

    count: int
    flagged: int
    auc: float
    precision: float
    recall: float
    rank_correlation: float


def broken_captions(
    captions: Sequence[str], corruptor: Corruptor, seed: int = 0
) -> dict[str, list[str]]:
    """Of each (normalised) caption, a broken copy for every kind of error it gives occasion for."""
    rng = random.Random(seed)
    found = {
        kind: [corruptor.corrupt(caption, kind, rng) for caption in captions] for kind in KINDS
    }
    return {kind: [text for text in texts if text] for kind, texts in found.items()}


def detection(
    detector: FluencyDetector, whole: Sequence[str], broken: Mapping[str, Sequence[str]]
) -> dict[str, Found]:
    """Of each kind of ``broken`` against all ``whole`` captions; "error" is all kinds together."""
    clean = detector.error(whole)
    errors = {kind: detector.error(texts) for kind, texts in broken.items()}
    errors["error"] = np.concatenate(list(errors.values()))
    return {
        kind: Found(len(found), _auc(clean, found), float(np.mean(found > detector.threshold)))
        for kind, found in errors.items()
    }


def false_alarms(detector: FluencyDetector, whole: Sequence[str]) -> float:
    """The share of ``whole`` captions that is called disfluent."""
    return float(np.mean(detector.error(whole) > detector.threshold))


def agreement(
    detector: FluencyDetector, texts: Sequence[str], theirs: np.ndarray, threshold: float
) -> Agreement:
    """With another's error probabilities ``theirs`` [N], an error above ``threshold``."""
    from scipy.stats import spearmanr

    ours, errors = detector.error(texts), theirs > threshold
    flagged = ours > detector.threshold
    hits = int((flagged & errors).sum())
    return Agreement(
        count=len(texts),
        flagged=int(errors.sum()),
        auc=_auc(ours[~errors], ours[errors]),
        precision=hits / int(flagged.sum()) if flagged.any() else float("nan"),
        recall=hits / int(errors.sum()) if errors.any() else float("nan"),
        rank_correlation=float(spearmanr(ours, theirs).statistic),
    )


def _auc(negative: np.ndarray, positive: np.ndarray) -> float:
    """The probability that a positive is above a negative (Mann-Whitney), ties counted half."""
    from scipy.stats import rankdata

    if not len(negative) or not len(positive):
        return float("nan")
    ranks = rankdata(np.concatenate([negative, positive]))[len(negative) :]
    above = ranks.sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(negative) * len(positive)))
