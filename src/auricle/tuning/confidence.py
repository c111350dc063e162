"""The fit of confidence on a validation manifest: logistic regression, held-out reliability.

A caption counts as right if its best cosine with a reference reaches a threshold. The cosine is
always by all-MiniLM-L6-v2, whatever the model's own text embedder. It compares sentences, and so
underestimates the difference between "a dog barks" and "a cat meows".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from auricle.decoding.confidence import (
    FEATURES,
    Calibration,
    Feature,
    HeldOut,
    confidence,
    probability,
)
from auricle.decoding.rerank import choose
from auricle.errors import DataError
from auricle.records import Candidate
from auricle.tuning.clips import ClipCandidates
from auricle.tuning.folds import folds
from auricle.tuning.reliability import Reliability, reliability
from auricle.tuning.worth import best_similarity

RIGHT = 0.5  # a caption counts as right from this cosine with a reference
RIDGE = 1.0  # a normal prior of deviation 1 on the weights of standardised features
_ITERATIONS = 50


def chosen(clips: Sequence[ClipCandidates]) -> list[Candidate]:
    """The caption of each clip."""
    return [choose(clip.candidates) for clip in clips]


def are_right(clips: Sequence[ClipCandidates], threshold: float = RIGHT) -> np.ndarray:
    """[N] bool: whether each clip's caption is right."""
    captions = [replace(clip, candidates=(choose(clip.candidates),)) for clip in clips]
    return np.array([worth[0] >= threshold for worth in best_similarity(captions)])


def fit_confidence(
    clips: Sequence[ClipCandidates],
    data: str,
    method: str,
    threshold: float = RIGHT,
    fold_count: int = 5,
    seed: int = 0,
) -> tuple[Calibration, Reliability]:
    """The calibration of all clips, and the reliability of the same fit on held-out clips.

    Raises:
        DataError: there are too few clips, or all captions are right, or none.
    """
    captions, right = chosen(clips), are_right(clips, threshold)
    if right.all() or not right.any():
        raise DataError(
            f"{data}: {'every' if right.all() else 'no'} caption counts as right at cosine "
            f"{threshold:g}; confidence is fitted on right and wrong ones: give other clips, or "
            "another --right"
        )
    groups = [clip.group for clip in clips]
    fold = folds(groups, fold_count, seed)
    sure, base = np.empty(len(clips)), np.empty(len(clips))
    for number in range(fold_count):
        rest, held_out = fold != number, np.flatnonzero(fold == number)
        features, bias = regress([c for c, r in zip(captions, rest, strict=True) if r], right[rest])
        sure[held_out] = [probability(features, bias, captions[i]) for i in held_out]
        base[held_out] = right[rest].mean()
    found = reliability(sure, right, groups, base, seed)
    features, bias = regress(captions, right)
    held = HeldOut(
        brier=round(found.brier.value, 4),
        base_brier=round(found.base_brier.value, 4),
        low=round(found.gain.low, 4),
        high=round(found.gain.high, 4),
        calibration_error=round(found.calibration_error, 4),
        auc=round(found.auc.value, 4),
    )
    share = round(float(right.mean()), 4)
    calibration = Calibration(features, bias, method, threshold, data, len(clips), share, held)
    return calibration, found


def measure_confidence(
    clips: Sequence[ClipCandidates], calibration: Calibration, seed: int = 0
) -> Reliability:
    """The reliability of a calibration on clips that it was not fitted on."""
    sure = np.array([confidence(calibration, caption) for caption in chosen(clips)])
    groups = [clip.group for clip in clips]
    return reliability(sure, are_right(clips, calibration.right), groups, seed=seed)


def regress(
    captions: Sequence[Candidate], right: np.ndarray, names: Sequence[str] = FEATURES
) -> tuple[tuple[Feature, ...], float]:
    """The features and the bias of a logistic regression with a ridge penalty, by Newton's method.

    A feature that no caption has, or that is equal in all, is left out; if only some captions have
    it, it counts as average in the others. A feature with negative weight is also left out: a less
    likely, similar or agreed caption is never more certain, and among correlated features chance
    can give one a negative weight. The bias is not penalised, so the mean confidence equals the
    share of right captions.
    """
    columns, found = [], []
    for name in names:
        values = np.array([np.nan if (v := getattr(c, name)) is None else v for c in captions])
        if np.isnan(values).all() or not (deviation := np.nanstd(values)) > 1e-9:
            continue
        mean = np.nanmean(values)
        columns.append(np.nan_to_num((values - mean) / deviation))
        found.append((name, mean, deviation))
    weights = logistic(np.column_stack([np.ones(len(captions)), *columns]), right)
    if len(found) and weights[1:].min() < 0:
        worst = found[int(weights[1:].argmin())][0]
        return regress(captions, right, [name for name, *_ in found if name != worst])
    features = tuple(
        Feature(name, round(float(mean), 6), round(float(deviation), 6), round(float(weight), 6))
        for (name, mean, deviation), weight in zip(found, weights[1:], strict=True)
    )
    return features, round(float(weights[0]), 6)


def logistic(x: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[K] the weights of columns ``x`` [N, K]; the first column is 1, and its weight the bias.

    They maximise the log-likelihood of ``right`` [N] minus `RIDGE` / 2 times the squares of all
    except the bias.
    """
    penalty = RIDGE * np.diag([0.0] + [1.0] * (x.shape[1] - 1))
    weights = np.zeros(x.shape[1])
    share = np.clip(right.mean(), 0.5 / len(right), 1 - 0.5 / len(right))
    weights[0] = np.log(share / (1 - share))
    for _ in range(_ITERATIONS):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (right - p) - penalty @ weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + penalty + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        weights += step / max(1.0, np.abs(step).max())  # far from the optimum, Newton overshoots
        if np.abs(step).max() < 1e-10:
            break
    return weights
