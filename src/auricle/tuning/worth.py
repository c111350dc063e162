"""The worth of candidates: a metric of each against its clip's references."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from auricle.errors import MissingDependencyError, ModelError
from auricle.tuning.clips import ClipCandidates

Worth = list[np.ndarray]  # [N] per clip, in the order of its candidates


def cider_d(clips: Sequence[ClipCandidates]) -> Worth:
    """CIDEr-D with the document frequencies of all clips' references: the score of each candidate
    if it were chosen, independent of other clips' choices."""
    from auricle.metrics.cider import cider_d as corpus_cider_d
    from auricle.metrics.ptb import tokenize
    from auricle.metrics.scores import MissingMetricError

    texts = [clip.references for clip in clips]
    captions = [[candidate.text for candidate in clip.candidates] for clip in clips]
    distinct = list(dict.fromkeys(text for group in [*texts, *captions] for text in group))
    try:
        tokens = dict(zip(distinct, tokenize(distinct), strict=True))
    except MissingMetricError as error:
        raise MissingDependencyError(str(error)) from error
    references = [[tokens[text] for text in group] for group in texts]
    score = corpus_cider_d(
        [tokens[text] for group in captions for text in group],
        [own for own, group in zip(references, captions, strict=True) for _ in group],
        references,
    )
    return _by_clip(score.items, clips)


def similarity(clips: Sequence[ClipCandidates]) -> Worth:
    """The mean cosine of all-MiniLM-L6-v2 with the references."""
    return _by_clip([row.mean() for row in _cosines(clips)], clips)


def best_similarity(clips: Sequence[ClipCandidates]) -> Worth:
    """The cosine of all-MiniLM-L6-v2 with the nearest reference."""
    return _by_clip([row.max() for row in _cosines(clips)], clips)


def _cosines(clips: Sequence[ClipCandidates]) -> list[np.ndarray]:
    """The cosines of each candidate with its clip's references."""
    from auricle.text.embedder import MINILM, TextEmbedder

    embed = TextEmbedder(MINILM).embed
    distinct = list(
        dict.fromkeys(
            text
            for clip in clips
            for text in [*clip.references, *(candidate.text for candidate in clip.candidates)]
        )
    )
    vectors = dict(zip(distinct, embed(distinct).numpy(), strict=True))
    rows = []
    for clip in clips:
        references = np.stack([vectors[text] for text in clip.references])
        rows += [references @ vectors[candidate.text] for candidate in clip.candidates]
    return rows


def _by_clip(values: Sequence[float], clips: Sequence[ClipCandidates]) -> Worth:
    ends = np.cumsum([len(clip.candidates) for clip in clips])[:-1]
    return np.split(np.asarray(values, dtype=np.float64), ends)


METRICS: dict[str, tuple[str, Callable[[Sequence[ClipCandidates]], Worth]]] = {
    "cider_d": ("CIDEr-D", cider_d),
    "similarity": ("cosine of MiniLM with the references", similarity),
}


def metric(name: str) -> tuple[str, Callable[[Sequence[ClipCandidates]], Worth]]:
    """(label, function) of a metric.

    Raises:
        ModelError: there is no metric of this name.
    """
    if name not in METRICS:
        raise ModelError(f"metric {name!r} is unknown; choose from {', '.join(METRICS)}")
    return METRICS[name]
