"""SPIDEr (Liu et al., ICCV 2017) and DCASE's variants: SPIDEr-FL, SPIDEr-max."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean

from auricle.metrics.scores import Score, labelled

PENALTY = 0.9  # share that a disfluent caption loses (Zhou et al., ICASSP 2022, section 3.2)
THRESHOLD = 0.9  # a caption is disfluent above this error probability (same section)

_LABEL = re.compile(r"\((?P<label>[^()]+)\)$")


def spider(cider: Score, spice: Score) -> Score:
    """The mean of CIDEr-D and SPICE, of the corpus and of each of N captions.

    It takes over their labels: "SPIDEr (spice-py)" from "SPICE (spice-py)".

    Raises:
        ValueError: the numbers of captions differ.
    """
    items = [(a + b) / 2 for a, b in zip(cider.items, spice.items, strict=True)]
    name = labelled("SPIDEr", *_labels(cider.name), *_labels(spice.name))
    return Score(name, (cider.corpus + spice.corpus) / 2, tuple(items))


def spider_fl(
    spider: Score,
    error_probabilities: Sequence[float],
    threshold: float = THRESHOLD,
    detector: str = "",
) -> Score:
    """SPIDEr, reduced to a tenth for disfluent captions, and its mean over N captions.

    The metric of DCASE 2023 task 6A. `details` holds "error", 1.0 for each reduced caption.

    Args:
        spider: the score of N captions.
        error_probabilities: [N] probabilities of any error, by FENSE's detector.
        threshold: captions with a higher probability are disfluent; the detector's threshold.
        detector: the name of another detector, which becomes part of the score's name.

    Raises:
        ValueError: numbers differ, or there are no captions.
    """
    errors = tuple(float(probability > threshold) for probability in error_probabilities)
    items = [s * (1 - PENALTY * e) for s, e in zip(spider.items, errors, strict=True)]
    name = labelled("SPIDEr-FL", *_labels(spider.name), detector)
    return Score(name, _mean(items), tuple(items), {"error": errors})


def spider_max(spider: Score, counts: Sequence[int]) -> Score:
    """The best SPIDEr among each clip's candidates, and its mean over N clips (Labbé et al., DCASE
    2022, "Is my automatic audio captioning system so bad? SPIDEr-max").

    Args:
        spider: the score of all candidates, ordered by clip. CIDEr-D needs each clip's reference
            set once, as ``documents``.
        counts: [N] the number of candidates per clip.

    Raises:
        ValueError: numbers differ, there are no clips, or a clip has no candidates.
    """
    if min(counts, default=0) < 1 or sum(counts) != len(spider.items):
        raise ValueError(
            f"{len(spider.items)} scores for {sum(counts)} candidates of {len(counts)} clips: "
            "SPIDEr-max takes one score for each, and at least one for each clip"
        )
    items, start = [], 0
    for count in counts:
        items.append(max(spider.items[start : start + count]))
        start += count
    return Score(labelled("SPIDEr-max", *_labels(spider.name)), _mean(items), tuple(items))


def _mean(items: Sequence[float]) -> float:
    if not items:
        raise ValueError("no captions to score")
    return fmean(items)


def _labels(name: str) -> list[str]:
    """["spice-py"] of "SPICE (spice-py)"; empty for a name without a label."""
    found = _LABEL.search(name)
    return found["label"].split(", ") if found else []
