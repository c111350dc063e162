"""What a candidate is worth against its clip's references, for every candidate at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from auricle.errors import MissingDependencyError, ModelError
from auricle.tuning.clips import ClipCandidates

Worth = list[np.ndarray]  # of each clip [N], of its candidates in their order


def cider_d(heard: Sequence[ClipCandidates]) -> Worth:
    """CIDEr-D under the document frequencies of all clips' references: of each candidate what it
    would score if it were chosen, whatever is chosen elsewhere."""
    from auricle.metrics.cider import cider_d as corpus_cider_d
    from auricle.metrics.ptb import tokenize
    from auricle.metrics.scores import MissingMetricError

    texts = [clip.references for clip in heard]
    said = [[candidate.text for candidate in clip.candidates] for clip in heard]
    distinct = list(dict.fromkeys(text for group in [*texts, *said] for text in group))
    try:
        tokens = dict(zip(distinct, tokenize(distinct), strict=True))
    except MissingMetricError as error:
        raise MissingDependencyError(str(error)) from error
    references = [[tokens[text] for text in group] for group in texts]
    score = corpus_cider_d(
        [tokens[text] for group in said for text in group],
        [meant for meant, group in zip(references, said, strict=True) for _ in group],
        references,
    )
    return _by_clip(score.items, heard)


def similarity(heard: Sequence[ClipCandidates]) -> Worth:
    """The mean cosine of all-MiniLM-L6-v2 with the references."""
    return _by_clip([row.mean() for row in _cosines(heard)], heard)


def best_similarity(heard: Sequence[ClipCandidates]) -> Worth:
    """The cosine of all-MiniLM-L6-v2 with the nearest reference."""
    return _by_clip([row.max() for row in _cosines(heard)], heard)


def _cosines(heard: Sequence[ClipCandidates]) -> list[np.ndarray]:
    """Of each candidate of each clip, with the clip's references."""
    from auricle.text.embedder import MINILM, TextEmbedder

    embed = TextEmbedder(MINILM).embed
    distinct = list(
        dict.fromkeys(
            text
            for clip in heard
            for text in [*clip.references, *(candidate.text for candidate in clip.candidates)]
        )
    )
    vectors = dict(zip(distinct, embed(distinct).numpy(), strict=True))
    rows = []
    for clip in heard:
        references = np.stack([vectors[text] for text in clip.references])
        rows += [references @ vectors[candidate.text] for candidate in clip.candidates]
    return rows


def _by_clip(values: Sequence[float], heard: Sequence[ClipCandidates]) -> Worth:
    ends = np.cumsum([len(clip.candidates) for clip in heard])[:-1]
    return np.split(np.asarray(values, dtype=np.float64), ends)


METRICS: dict[str, tuple[str, Callable[[Sequence[ClipCandidates]], Worth]]] = {
    "cider_d": ("CIDEr-D", cider_d),
    "similarity": ("cosine of MiniLM with the references", similarity),
}


def metric(name: str) -> tuple[str, Callable[[Sequence[ClipCandidates]], Worth]]:
    """(label, function) of a metric.

    Raises:
        ModelError: there is none of this name.
    """
    if name not in METRICS:
        raise ModelError(f"metric {name!r} is unknown; choose from {', '.join(METRICS)}")
    return METRICS[name]
