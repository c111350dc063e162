"""SPIDEr (Liu et al., ICCV 2017) and what DCASE makes of it: SPIDEr-FL, SPIDEr-max."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean

from auricle.metrics.scores import Score, labelled

PENALTY = 0.9  # what a caption that is no sentence loses (Zhou et al., ICASSP 2022, section 3.2)
THRESHOLD = 0.9  # of the probability of an error, above which a caption is none (same place)

_LABEL = re.compile(r"\((?P<label>[^()]+)\)$")


def spider(cider: Score, spice: Score) -> Score:
    """The mean of CIDEr-D and SPICE, of the corpus and of each of N captions.

    It is named after them: "SPIDEr (spice-py)" of "SPICE (spice-py)".

    Raises:
        ValueError: scores of different numbers of captions.
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
    """SPIDEr of which a caption keeps a tenth where it is no sentence, and the mean of N captions.

    The metric of DCASE 2023 task 6A. `details` holds "error", 1.0 for each caption that lost.

    Args:
        spider: of N captions.
        error_probabilities: [N] of any error, by FENSE's detector.
        threshold: captions of a higher probability lose; that of the detector.
        detector: another detector's name, which becomes part of the score's.

    Raises:
        ValueError: numbers that differ, or no captions.
    """
    errors = tuple(float(probability > threshold) for probability in error_probabilities)
    items = [s * (1 - PENALTY * e) for s, e in zip(spider.items, errors, strict=True)]
    name = labelled("SPIDEr-FL", *_labels(spider.name), detector)
    return Score(name, _mean(items), tuple(items), {"error": errors})


def spider_max(spider: Score, counts: Sequence[int]) -> Score:
    """The best SPIDEr among each clip's candidates, and its mean over N clips (Labbé et al., DCASE
    2022, "Is my automatic audio captioning system so bad? SPIDEr-max").

    Args:
        spider: of all candidates, clip after clip. CIDEr-D is to be given the clips' reference sets
            once each, as ``documents``.
        counts: [N] the number of candidates of each clip.

    Raises:
        ValueError: numbers that differ, no clips, or a clip without candidates.
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
    """["spice-py"] of "SPICE (spice-py)"; of a name without a label nothing."""
    found = _LABEL.search(name)
    return found["label"].split(", ") if found else []
