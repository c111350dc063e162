"""Confidence fitted on a validation manifest: logistic regression, held-out reliability.

A caption counts as right when its best cosine with a reference, by all-MiniLM-L6-v2 whatever the
model's own text embedder, reaches a threshold: a judgement of sentences by sentences, which takes
"a dog barks" and "a cat meows" for less different than they are.
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

RIGHT = 0.5  # cosine with a reference from which a caption counts as right
RIDGE = 1.0  # a normal prior of deviation 1 on the weights of standardised features
_ITERATIONS = 50


def chosen(heard: Sequence[ClipCandidates]) -> list[Candidate]:
    """The caption of each clip."""
    return [choose(clip.candidates) for clip in heard]


def are_right(heard: Sequence[ClipCandidates], threshold: float = RIGHT) -> np.ndarray:
    """[N] bool: whether each clip's caption is right."""
    captions = [replace(clip, candidates=(choose(clip.candidates),)) for clip in heard]
    return np.array([worth[0] >= threshold for worth in best_similarity(captions)])


def fit_confidence(
    heard: Sequence[ClipCandidates],
    data: str,
    method: str,
    threshold: float = RIGHT,
    fold_count: int = 5,
    seed: int = 0,
) -> tuple[Calibration, Reliability]:
    """The calibration of all clips, and how reliable the same fit is on clips held out.

    Raises:
        DataError: too few clips, or all of them right, or none.
    """
    captions, right = chosen(heard), are_right(heard, threshold)
    if right.all() or not right.any():
        raise DataError(
            f"{data}: {'every' if right.all() else 'no'} caption counts as right at cosine "
            f"{threshold:g}; confidence is fitted on right and wrong ones: give other clips, or "
            "another --right"
        )
    groups = [clip.group for clip in heard]
    fold = folds(groups, fold_count, seed)
    sure, base = np.empty(len(heard)), np.empty(len(heard))
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
    calibration = Calibration(features, bias, method, threshold, data, len(heard), share, held)
    return calibration, found


def measure_confidence(
    heard: Sequence[ClipCandidates], calibration: Calibration, seed: int = 0
) -> Reliability:
    """How reliable a calibration is on clips that it was not fitted on."""
    sure = np.array([confidence(calibration, caption) for caption in chosen(heard)])
    groups = [clip.group for clip in heard]
    return reliability(sure, are_right(heard, calibration.right), groups, seed=seed)


def regress(
    captions: Sequence[Candidate], right: np.ndarray, names: Sequence[str] = FEATURES
) -> tuple[tuple[Feature, ...], float]:
    """Logistic regression with a ridge penalty, by Newton's method; the features and the bias.

    A feature that no caption has, or that is equal in all, is left out; one that some do not have
    counts as average there. So is one of negative weight: a caption is never the surer for being
    less likely, similar or agreed on, and where features say much the same, chance makes one of
    them say so. The bias is not penalised, so that the mean confidence over the captions is the
    share of right ones.
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
    """[K] the weights of columns ``x`` [N, K] of which the first is 1, its weight the bias.

    They maximise the log-likelihood of ``right`` [N] less `RIDGE` / 2 times the squares of all but
    the bias.
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
        weights += step / max(1.0, np.abs(step).max())  # far from the optimum it overshoots
        if np.abs(step).max() < 1e-10:
            break
    return weights
